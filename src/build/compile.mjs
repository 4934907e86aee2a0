import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { isTypeScript } from './inputs.mjs';

/** The root maps `#libs/*` to TypeScript; a build maps it to what was made of that. */
const BUILT_PACKAGE = { type: 'module', imports: { '#libs/*': './libs/*/index.js' } };

/** A source that does not compile. Its message has one `file:line: what` per fault. */
export class CompileError extends Error {
  name = 'CompileError';
}

/**
 * Writes the build of the inputs into a folder that exists and is empty, two levels below the root.
 *
 * @throws {CompileError} naming file and line of every source that does not compile
 */
export async function compileInto(folder, inputs) {
  const { transform } = await import('@swc/core');
  const options = compilerOptions(inputs.swcrc);
  const results = await Promise.allSettled(
    [...inputs.files].map(async ([path, content]) => {
      const target = join(folder, path);
      mkdirSync(dirname(target), { recursive: true });
      if (isTypeScript(path)) await compileFile(transform, options, path, content, target);
      else writeFileSync(target, content);
    }),
  );
  throwFaults(results);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(BUILT_PACKAGE)}\n`);
}

function compilerOptions(swcrc) {
  const experimental = { ...swcrc.jsc?.experimental, keepImportAttributes: true };
  return { ...swcrc, swcrc: false, configFile: false, sourceMaps: true, jsc: { ...swcrc.jsc, experimental } };
}

async function compileFile(transform, options, path, content, target) {
  const sourceFileName = posix.relative(posix.join('dist/build', posix.dirname(path)), path);
  const { code, map } = await transform(content.toString('utf8'), {
    ...options,
    filename: path,
    sourceFileName,
  }).catch((error) => {
    throw new CompileError(describe(path, error), { cause: error });
  });
  const script = target.replace(/\.ts$/, '.js');
  writeFileSync(script, `${code}//# sourceMappingURL=${basename(script)}.map\n`);
  writeFileSync(`${script}.map`, map);
}

/** SWC's message is `x <what>`, then a picture of the source whose frame holds `[file:line:column]`. */
function describe(path, error) {
  const [what = 'does not compile', ...picture] = error.message.split('\n');
  const line = /:(\d+):\d+\]/.exec(picture.join('\n'))?.[1];
  const source = picture.filter((text) => /^\s*(\d+ \||:)/.test(text)).join('\n');
  return `${path}${line ? `:${line}` : ''}: ${what.replace(/^\s*[x×]\s*/, '')}${source ? `\n${source}` : ''}`;
}

function throwFaults(results) {
  const faults = results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
  const other = faults.find((fault) => !(fault instanceof CompileError));
  if (other) throw other;
  if (faults.length > 0) throw new CompileError(faults.map(({ message }) => message).join('\n'));
}
