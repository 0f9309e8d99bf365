/**
 * The syntax tree of a file, as Deno's own linter has it: so the mutator needs no package. Deno gives it to `deno test`
 * alone, which is why the mutants are made in a process of that kind.
 */

/** What the mutators look at; all of it is read while the linter visits the node. */
export interface Node {
  readonly type: string;
  readonly range: readonly [number, number];
  readonly parent?: Node;
  readonly operator?: string;
  readonly value?: unknown;
  readonly raw?: string;
  readonly name?: string;
  readonly optional?: boolean;
  readonly computed?: boolean;
  readonly left?: Node;
  readonly right?: Node;
  readonly test?: Node;
  readonly consequent?: Node;
  readonly alternate?: Node;
  readonly argument?: Node;
  readonly arguments?: readonly Node[];
  readonly expression?: Node;
  readonly callee?: Node;
  readonly object?: Node;
  readonly property?: Node;
  readonly key?: Node;
  readonly id?: Node;
  readonly body?: Node | readonly Node[];
}

/** Shows every node of the file to `visit`, parents first. */
export function walkTree(text: string, visit: (node: Node) => void): void {
  const create = () => ({ "*": (node: Deno.lint.Node) => visit(node as unknown as Node) });
  Deno.lint.runPlugin({ name: "mutation", rules: { walk: { create } } }, "file.ts", text);
}
