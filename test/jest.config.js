/** Jest in ES module mode; `test/run.mjs` sets what Node needs for it. */
export default {
  rootDir: '..',
  testMatch: ['<rootDir>/libs/**/*.spec.ts', '<rootDir>/src/**/*.spec.ts', '<rootDir>/test/**/*.spec.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': '@swc/jest' },
  testEnvironment: 'node',
  // For a machine under load; a test waits on progress, and fails by its own patience long before.
  testTimeout: 90_000,
};
