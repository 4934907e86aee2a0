export { createSimulator, type Simulator, type SimulatorOptions } from './simulator.js';
export type { ScriptAction, ScriptRule } from './script/rules.js';
export type { ReceivedRequest } from './server/request-log.js';
export type { Usage as SimulatedUsage } from './wires/wire.js';
export { countTokens } from './tokens.js';
