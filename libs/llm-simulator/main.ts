import { createSimulator } from './simulator.js';

const port = Number(process.env.PORT ?? 4010);
const host = process.env.HOST ?? '127.0.0.1';
const simulator = createSimulator();

function stop(): void {
  simulator.close().then(
    () => process.exit(0),
    (error: unknown) => fail(error),
  );
}

function fail(error: unknown): never {
  process.stderr.write(
    `The simulator cannot go on: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
}

if (!Number.isInteger(port) || port < 0 || port > 65_535) fail('PORT must be a number from 0 to 65535.');
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
try {
  const { url } = await simulator.listen(port, host);
  process.stdout.write(
    `LLM simulator on ${url}: OpenAI at ${url}/v1, Anthropic at ${url}, control under ${url}/_simulator\n`,
  );
} catch (error) {
  fail(error);
}
