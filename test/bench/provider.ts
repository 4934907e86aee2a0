/** The provider, in a process of its own so that it takes no time of what is measured; forked by the stage. */
import { createSimulator } from '#libs/llm-simulator';

const simulator = createSimulator({ instant: true, log: false, control: false });
const { url } = await simulator.listen();
process.on('disconnect', () => void simulator.close().then(() => process.exit(0)));
process.send?.(url);
