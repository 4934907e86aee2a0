/** Which AI fields each AI field reads or is triggered by: field slug to upstream field slugs. */
export type DependencyGraph = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * A way from a field back to itself, first field repeated at the end; undefined where there is none.
 *
 * @example findCycle(new Map([['a', new Set(['b'])], ['b', new Set(['a'])]])) // ['a', 'b', 'a']
 */
export function findCycle(graph: DependencyGraph): string[] | undefined {
  const done = new Set<string>();
  for (const start of graph.keys()) {
    const cycle = walk(graph, start, [], done);
    if (cycle) return cycle;
  }
  return undefined;
}

function walk(graph: DependencyGraph, node: string, path: string[], done: Set<string>): string[] | undefined {
  const seen = path.indexOf(node);
  if (seen >= 0) return [...path.slice(seen), node];
  if (done.has(node)) return undefined;
  path.push(node);
  for (const next of graph.get(node) ?? []) {
    const cycle = graph.has(next) ? walk(graph, next, path, done) : undefined;
    if (cycle) return cycle;
  }
  path.pop();
  done.add(node);
  return undefined;
}

/** The fields in an order in which each comes after all that it depends on. The graph must have no cycle. */
export function topologicalOrder(graph: DependencyGraph): string[] {
  const order: string[] = [];
  const visited = new Set<string>();
  const visit = (node: string): void => {
    if (visited.has(node)) return;
    visited.add(node);
    for (const next of graph.get(node) ?? []) if (graph.has(next)) visit(next);
    order.push(node);
  };
  for (const node of graph.keys()) visit(node);
  return order;
}

/** Every field that a field depends on, directly or through others. */
export function upstreamOf(graph: DependencyGraph, field: string): Set<string> {
  const found = new Set<string>();
  const queue = [...(graph.get(field) ?? [])];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (found.has(next) || !graph.has(next)) continue;
    found.add(next);
    queue.push(...(graph.get(next) ?? []));
  }
  return found;
}

/** Every field that depends on a field, directly or through others. */
export function downstreamOf(graph: DependencyGraph, field: string): string[] {
  return [...graph.keys()].filter((other) => other !== field && upstreamOf(graph, other).has(field));
}

/** The most fields, each depending on the one before, that stand in a row with this field among them. No cycle. */
export function chainLength(graph: DependencyGraph, field: string): number {
  return longestFrom(graph, field) + longestFrom(reversed(graph), field) - 1;
}

function longestFrom(graph: DependencyGraph, field: string): number {
  const known = new Map<string, number>();
  for (const node of topologicalOrder(graph)) {
    const before = [...(graph.get(node) ?? [])].map((next) => known.get(next) ?? 0);
    known.set(node, 1 + Math.max(0, ...before));
  }
  return known.get(field) ?? 0;
}

function reversed(graph: DependencyGraph): DependencyGraph {
  const after = new Map([...graph.keys()].map((node) => [node, new Set<string>()]));
  for (const [node, before] of graph) for (const next of before) after.get(next)?.add(node);
  return after;
}
