/** The provider, in a process of its own so that it takes no time of what is measured; forked by the stage with its latency. */
import { createSimulator } from '#libs/llm-simulator';

const latencyMs = Number(process.argv[2] ?? 0);
const simulator = createSimulator({ instant: true, latencyMs, log: false, control: false });
const { url } = await simulator.listen();
process.on('disconnect', () => void simulator.close().then(() => process.exit(0)));
process.send?.(url);
