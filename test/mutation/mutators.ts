/** Small mistakes that one could make in a program: for a node, the texts that could stand in its place. */
import type { Node } from "./tree.ts";

/** What a node could be instead; `removed` for a statement that could be missing. */
export type Change = string | typeof removed;
export const removed = Symbol("removed");

const others: Readonly<Record<string, readonly string[]>> = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "===": ["!=="],
  "!==": ["==="],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "%": ["*"],
  "**": ["*"],
  "<<": [">>"],
  ">>": ["<<"],
  "&": ["|"],
  "|": ["&"],
  "^": ["|"],
  "&&": ["||"],
  "||": ["&&"],
  "??": ["&&"],
  "+=": ["-="],
  "-=": ["+="],
  "*=": ["/="],
  "|=": ["&="],
  "&=": ["|="],
  "??=": ["="],
  "++": ["--"],
  "--": ["++"],
};
const otherMethods: ReadonlyMap<string, string> = new Map([
  ["max", "min"],
  ["min", "max"],
  ["floor", "ceil"],
  ["ceil", "floor"],
  ["some", "every"],
  ["every", "some"],
  ["startsWith", "endsWith"],
  ["endsWith", "startsWith"],
  ["indexOf", "lastIndexOf"],
  ["lastIndexOf", "indexOf"],
  ["find", "findLast"],
  ["findLast", "find"],
  ["push", "unshift"],
  ["shift", "pop"],
  ["pop", "shift"],
]);
/** Methods whose result is much like what they were called on. */
const passing = ["filter", "sort", "toSorted", "reverse", "toReversed"];

/** All mutations of one node; `text` is the file's. */
export function changesOf(node: Node, text: string): readonly Change[] {
  return (mutators[node.type] ?? nothing)(node, (part) => text.slice(...part!.range));
}

type Mutator = (node: Node, source: (node: Node | undefined) => string) => readonly Change[];

const nothing: Mutator = () => [];

const mutators: Readonly<Record<string, Mutator>> = {
  BinaryExpression: (node, source) => isText(node) ? [] : exchanged(node, source),
  LogicalExpression: (node, source) =>
    node.operator === "??" ? [withoutDefault(node, source)] : exchanged(node, source),
  AssignmentExpression: (node, source) => isText(node) ? [] : exchanged(node, source),
  UpdateExpression: (node, source) => [source(node).replace(node.operator!, others[node.operator!]![0]!)],
  UnaryExpression: (node, source) => node.operator === "!" || node.operator === "-" ? [source(node.argument)] : [],
  Literal: (node) => isKey(node) ? [] : literals(node),
  ConditionalExpression: (node, source) => [
    `${source(node.test)} ? ${source(node.alternate)} : ${source(node.consequent)}`,
  ],
  AwaitExpression: (node, source) => [source(node.argument)],
  CallExpression: (node, source) => isInChain(node) ? [] : calls(node, source),
  ExpressionStatement: (node) => isDirective(node) ? [] : [removed],
  ReturnStatement: (node) => saysNothing(node) ? [] : [removed],
  ThrowStatement: () => [removed],
  BreakStatement: () => [removed],
  ContinueStatement: () => [removed],
};

/** The condition of an `if` or a loop, the other way round; comparisons have that among their own mutations. */
export function negated(node: Node, source: (node: Node | undefined) => string): readonly string[] {
  const { test } = node;
  if (!test || (test.type === "UnaryExpression" && test.operator === "!")) return [];
  return test.type === "BinaryExpression" && others[test.operator!] ? [] : [`!(${source(test)})`];
}

function exchanged(node: Node, source: (node: Node | undefined) => string): string[] {
  const { operator, left, right } = node;
  const whole = source(node);
  const [leftEnd, rightBegin] = [left!.range[1] - node.range[0], right!.range[0] - node.range[0]];
  const between = whole.slice(leftEnd, rightBegin);
  return (others[operator!] ?? []).map((other) =>
    whole.slice(0, leftEnd) + between.replace(operator!, () => other) + whole.slice(rightBegin)
  );
}

/** `a && b` for `a ?? b`, in brackets where the language wants them. */
function withoutDefault({ left, right }: Node, source: (node: Node | undefined) => string): string {
  const bracketed = (node: Node) => node.type === "LogicalExpression" ? `(${source(node)})` : source(node);
  return `${bracketed(left!)} && ${bracketed(right!)}`;
}

/** Texts are joined by "+" too, and cannot be subtracted. */
function isText({ operator, left, right }: Node): boolean {
  const text = (node: Node) =>
    node.type === "TemplateLiteral" || (node.type === "Literal" && typeof node.value === "string");
  return (operator === "+" || operator === "+=") && (text(left!) || text(right!));
}

function literals({ value, raw }: Node): string[] {
  if (typeof value === "boolean") return [String(!value)];
  if (typeof value === "bigint") return [`${value + 1n}n`];
  if (typeof value !== "number") return [];
  const number = Number(raw!.replaceAll("_", "")); // `value` is none when there are such
  return number === 0 ? ["1"] : [String(number - 1), String(number + 1)];
}

function calls(node: Node, source: (node: Node | undefined) => string): string[] {
  const { callee, arguments: given } = node;
  if (callee?.type !== "MemberExpression" || callee.computed) return [];
  const name = callee.property!.name!;
  const object = source(callee.object);
  if (name === "slice" || name === "subarray") {
    const args = given!.map((one) => source(one));
    return bounds(args).map((less) => `${object}.${name}(${less.join(", ")})`);
  }
  if (passing.includes(name)) return [object];
  const other = otherMethods.get(name);
  const [from, to] = callee.property!.range.map((at) => at - node.range[0]);
  return other ? [source(node).slice(0, from) + other + source(node).slice(to)] : [];
}

/** Fewer bounds than there are. */
function bounds([from, to]: readonly string[]): (readonly string[])[] {
  if (from === undefined) return [];
  const fromBegin = from === "0" ? [] : [to === undefined ? ["0"] : ["0", to]];
  return to === undefined ? fromBegin : [...fromBegin, [from]];
}

/** A name in an object or a class, not a value. */
function isKey(node: Node): boolean {
  const { parent } = node;
  return parent?.key !== undefined && !parent.computed && parent.key.range[0] === node.range[0];
}
/** Part of `a?.b.c()`: what stands to the left decides whether there is anything at all. */
function isInChain(node: Node): boolean {
  let at = node;
  while (at.parent && at.parent.range[0] === node.range[0] && at.type !== "ChainExpression") at = at.parent;
  return at.type === "ChainExpression";
}
function isDirective({ expression }: Node): boolean {
  const { type, callee, value } = expression!;
  return (type === "Literal" && typeof value === "string") || (type === "CallExpression" && callee?.type === "Super");
}
/** `return undefined` at the end of a function: the same as no return at all. */
function saysNothing({ argument, parent, range }: Node): boolean {
  if (argument && argument.name !== "undefined") return false;
  return parent?.type === "BlockStatement" && /Function/.test(parent.parent?.type ?? "") &&
    (parent.body as readonly Node[]).at(-1)!.range[0] === range[0];
}
