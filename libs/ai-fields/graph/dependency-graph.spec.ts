import fc from 'fast-check';
import { chainLength, downstreamOf, findCycle, topologicalOrder, upstreamOf } from './dependency-graph.js';

const graphOf = (edges: Record<string, string[]>) =>
  new Map(Object.entries(edges).map(([from, to]) => [from, new Set(to)]));

/** Graphs whose edges point to earlier fields only, so that they have no cycle. */
const acyclic = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 12 })
  .map(
    (lists) =>
      new Map(lists.map((list, i) => [`f${i}`, new Set(i === 0 ? [] : list.map((n) => `f${n % i}`))])),
  );

describe('dependency graph', () => {
  it('shows a cycle from its first field back to it', () => {
    expect(findCycle(graphOf({ a: ['b'], b: ['c'], c: ['b'] }))).toEqual(['b', 'c', 'b']);
    expect(findCycle(graphOf({ a: ['a'] }))).toEqual(['a', 'a']);
    expect(findCycle(graphOf({ a: ['b', 'plain'], b: [] }))).toBeUndefined();
  });

  it('follows chains and diamonds', () => {
    const diamond = graphOf({ a: [], b: ['a'], c: ['a'], d: ['b', 'c'] });
    expect(upstreamOf(diamond, 'd')).toEqual(new Set(['a', 'b', 'c']));
    expect(downstreamOf(diamond, 'a')).toEqual(['b', 'c', 'd']);
  });

  it('puts every field after all that it depends on', () => {
    fc.assert(
      fc.property(acyclic, (graph) => {
        expect(findCycle(graph)).toBeUndefined();
        const order = topologicalOrder(graph);
        expect(new Set(order).size).toBe(graph.size);
        for (const [field, upstream] of graph) {
          for (const other of upstream) expect(order.indexOf(other)).toBeLessThan(order.indexOf(field));
        }
      }),
    );
  });

  it('finds a cycle whenever an edge back is added to a way forth', () => {
    fc.assert(
      fc.property(acyclic, (graph) => {
        for (const field of graph.keys()) {
          for (const other of upstreamOf(graph, field)) {
            const closed = new Map(graph).set(other, new Set([...(graph.get(other) ?? []), field]));
            expect(findCycle(closed)).toBeDefined();
          }
        }
      }),
    );
  });

  it('counts the longest chain that a field is in, on both of its sides', () => {
    const graph = graphOf({ a: [], b: ['a'], c: ['a', 'b'], d: ['c'], x: ['a'], alone: [] });
    const lengths = [...graph.keys()].map((field) => chainLength(graph, field));
    expect(lengths).toEqual([4, 4, 4, 4, 2, 1]);
  });
});
