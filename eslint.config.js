import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** The layers of the design, left to right; entries of one inner array are siblings and do not import each other. */
const LAYERS = [
  ['common'],
  ['host'],
  ['tenants'],
  ['access', 'events'],
  ['prompt-language', 'llm', 'accounting'],
  ['processing'],
  ['prompt-library'],
  ['ai-fields', 'evaluation'],
  ['analytics'],
  ['fieldsmith'],
];
/** Libs that stand outside the order: they talk to the others over HTTP only. */
const STANDALONE = ['llm-simulator', 'console'];

const deepImport = {
  regex: '^#libs/[^/]+/.+|(^|/)libs/',
  message: 'Import a lib through its index only: #libs/<name>.',
};

function layerRules() {
  const ordered = LAYERS.flatMap((layer, depth) => layer.map((lib) => ({ lib, depth })));
  const rules = ordered.map(({ lib, depth }) => {
    const allowed = LAYERS.slice(0, depth).flat();
    return forbidAllBut(lib, allowed);
  });
  return [...rules, ...STANDALONE.map((lib) => forbidAllBut(lib, []))];
}

function forbidAllBut(lib, allowed) {
  const regex = allowed.length > 0 ? `^#libs/(?!(${allowed.join('|')})$)` : '^#libs/';
  return {
    files: [`libs/${lib}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            deepImport,
            { regex, message: `${lib} may import only: ${allowed.join(', ') || 'no other lib'}.` },
            {
              regex: '^(\\.\\./)+(src|test|migrations)/',
              message: 'A lib never imports the host, a test or a migration.',
            },
          ],
        },
      ],
    },
  };
}

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.data/**'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [createTypeScriptImportResolver({ project: 'tsconfig.json' })],
    },
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.name='forwardRef']",
          message: 'No forwardRef: fix the direction of the dependency.',
        },
        {
          selector:
            "CallExpression[callee.object.property.name='logger'] > ObjectExpression > Property[key.name=/[A-Z]|^msg$/]",
          message: 'Keys of the log are in snake_case, and its text is `message` (src/logging/README.md).',
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [deepImport] }] },
  },
  ...layerRules(),
  {
    files: ['migrations/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^#libs/|libs/', message: 'Migrations import nothing of the application.' }] },
      ],
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { globals: { process: 'readonly', console: 'readonly' } },
  },
);
