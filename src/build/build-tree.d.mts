/** Makes `dist/current` the build of the tree at `root` as it is now; see build-tree.mjs. */
export function build(options: { root: string }): Promise<{ dir: string; built: boolean }>;
