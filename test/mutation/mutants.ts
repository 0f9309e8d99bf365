/** The mutants of a file, and one text that holds them all, each behind a switch. */
import { changesOf, negated, removed } from "./mutators.ts";
import { type Node, walkTree } from "./tree.ts";

export interface Mutant {
  /** From 1. */
  readonly line: number;
  /** What it is, without its line, so that it can be told again when the file has grown: place and changed text. */
  readonly what: string;
  /** What it takes the place of. */
  readonly from: number;
  readonly to: number;
  /** What stands there instead; nothing for a statement that is missing. */
  readonly code: string | undefined;
}

export function mutantsOf(text: string): Mutant[] {
  const found: Mutant[] = [];
  const source = (node: Node | undefined) => text.slice(...node!.range);
  const add = (node: Node, code: string | undefined) => {
    if (code === source(node)) return;
    const [from, to] = node.range;
    const said = code === undefined ? `without ${oneLine(source(node))}` : changedLines(text, from, to, code);
    const line = text.slice(0, from).split("\n").length;
    found.push({ line, what: `${placeOf(node)}: ${said}`, from, to, code });
  };
  walkTree(text, (node) => {
    if (isType(node)) return;
    for (const change of changesOf(node, text)) add(node, change === removed ? undefined : change);
    if (hasCondition(node)) { for (const test of negated(node, source)) add(node.test!, test); }
  });
  return numbered(found.sort((a, b) => a.from - b.from || b.to - a.to));
}

/** The file with all its mutants in it, the first of which is number `first`; `active` is where it finds `isActive`. */
export function withSwitches(text: string, mutants: readonly Mutant[], first: number, active: string): string {
  const numbers = new Map(mutants.map((mutant, i) => [mutant, first + i]));
  const sites = new Map<string, Mutant[]>();
  for (const mutant of mutants) {
    const key = `${mutant.from} ${mutant.to} ${mutant.code === undefined}`;
    sites.set(key, [...sites.get(key) ?? [], mutant]);
  }
  // Outer sites first; a statement is around the expression that fills it.
  const ordered = [...sites.values()].sort(([a], [b]) =>
    a!.from - b!.from || b!.to - a!.to || Number(a!.code !== undefined) - Number(b!.code !== undefined)
  );
  const render = (from: number, to: number): string => {
    let out = "";
    let at = from;
    while (ordered[0] && ordered[0][0]!.from < to) {
      const site = ordered.shift()!;
      const { from: begin, to: end, code } = site[0]!;
      out += text.slice(at, begin);
      const inner = render(begin, end);
      out += code === undefined
        ? `{ if (!isActiveMutant(${numbers.get(site[0]!)})) ${inner} }`
        : `(${site.map((one) => `isActiveMutant(${numbers.get(one)}) ? (${one.code}) : `).join("")}${inner})`;
      at = end;
    }
    return out + text.slice(at, to);
  };
  return `import { isActive as isActiveMutant } from "${active}";\n${render(0, text.length)}`;
}

function hasCondition({ type }: Node): boolean {
  return ["IfStatement", "WhileStatement", "DoWhileStatement", "ForStatement"].includes(type);
}

/** What the compiler strips cannot be wrong at run time. */
function isType(node: Node): boolean {
  const expressions = ["TSAsExpression", "TSNonNullExpression", "TSSatisfiesExpression"];
  for (let at: Node | undefined = node; at; at = at.parent) {
    if (at.type.startsWith("TS") && !expressions.includes(at.type)) return true;
  }
  return false;
}

/** The function, method or constant around it. */
function placeOf(node: Node): string {
  for (let at = node.parent; at; at = at.parent) {
    if (at.type === "MethodDefinition" || at.type === "PropertyDefinition") return at.key!.name ?? "";
    if (at.type === "FunctionDeclaration") return at.id!.name ?? "";
    if (at.type === "VariableDeclarator" && at.parent?.parent?.type.match(/Program|Export/)) return at.id!.name ?? "";
  }
  return "";
}

/** The lines in which something differs, as they become. */
function changedLines(text: string, from: number, to: number, code: string): string {
  const old = text.slice(from, to);
  let same = 0;
  while (same < Math.min(old.length, code.length) && old[same] === code[same]) same++;
  let tail = 0;
  while (tail < Math.min(old.length, code.length) - same && old.at(-1 - tail) === code.at(-1 - tail)) tail++;
  const begin = text.lastIndexOf("\n", from + same - 1) + 1;
  const end = text.indexOf("\n", to - tail);
  return oneLine(
    text.slice(begin, from + same) + code.slice(same, code.length - tail) + text.slice(to - tail, end < 0 ? to : end),
  );
}

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}

/** The second of several that read the same gets a number. */
function numbered(mutants: readonly Mutant[]): Mutant[] {
  const counts = new Map<string, number>();
  return mutants.map((mutant) => {
    const count = (counts.get(mutant.what) ?? 0) + 1;
    counts.set(mutant.what, count);
    return count === 1 ? mutant : { ...mutant, what: `${mutant.what} (${count})` };
  });
}
