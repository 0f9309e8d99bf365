/** The part of Markdown that our documents are written in, as mdoc. */
import { lines } from "./mdoc.ts";

/** Sections, paragraphs, lists and tables; what stands before the first section becomes DESCRIPTION. */
export function fromMarkdown(text: string): string {
  const blocks = blocksOf(text.replace(/^# .*\n/, ""));
  return `.Sh DESCRIPTION\n${blocks.map((block, i) => rendered(block, blocks[i - 1])).join("")}`;
}

type Block =
  | { readonly kind: "section" | "subsection" | "paragraph"; readonly text: string }
  | { readonly kind: "table"; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: "list"; readonly numbered: boolean; readonly items: readonly string[] };

function blocksOf(text: string): Block[] {
  return text.split(/\n{2,}/).map((part) => part.replace(/^\n+|\n+$/g, "")).filter((part) => part !== "").map(blockOf);
}

function blockOf(part: string): Block {
  if (part.startsWith("## ")) return { kind: "section", text: part.slice(3) };
  if (part.startsWith("### ")) return { kind: "subsection", text: part.slice(4) };
  if (part.startsWith("|")) return { kind: "table", rows: part.split("\n").filter((_, i) => i !== 1).map(cellsOf) };
  const item = /^(?:- |\d+\. )/gm;
  if (!/^(?:- |\d+\. )/.test(part)) return { kind: "paragraph", text: part };
  return { kind: "list", numbered: /^\d/.test(part), items: part.split(item).slice(1) };
}

function cellsOf(row: string): string[] {
  return row.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
}

function rendered(block: Block, before: Block | undefined): string {
  switch (block.kind) {
    case "section":
      return `.Sh ${block.text.toUpperCase()}\n`;
    case "subsection":
      return `.Ss ${block.text}\n`;
    case "paragraph": {
      const isFirst = before === undefined || before.kind === "section" || before.kind === "subsection";
      return `${isFirst ? "" : ".Pp\n"}${filled(block.text)}`;
    }
    case "list":
      return list(block);
    case "table":
      return table(block.rows);
  }
}

function list({ numbered, items }: Extract<Block, { kind: "list" }>): string {
  const inner = items.map((item) => {
    const [first, ...below] = item.split(/\n {3}- /);
    const nested = below.length > 0 ? list({ kind: "list", numbered: false, items: below }) : "";
    return `.It\n${filled(first!)}${nested}`;
  });
  return `.Bl -${numbered ? "enum" : "bullet"}\n${inner.join("")}.El\n`;
}

/** By tbl(7): the last column takes what is left of the line. */
function table(rows: readonly (readonly string[])[]): string {
  const width = rows[0]!.length;
  const format = [...Array.from({ length: width - 1 }, () => "l"), "lx"].join(" ");
  const body = rows.map((row) => row.map((cell) => cell === "" ? "" : `T{\n${filled(cell)}T}`).join("\t")).join("\n");
  return `.TS\nallbox;\n${format}.\n${body}\n.TE\n`;
}

/** Narrower than text that is written by hand: what changes the font does not show, but counts. */
const width = 66;
/** Stands for a backslash until all others are escaped. */
const slash = "\ue000";

function filled(text: string): string {
  const fonts = text.replace(/\s*\n\s*/g, " ").trim()
    .replace(/`([^`]*)`/g, `${slash}fB$1${slash}fR`)
    .replace(/\*\*([^*]+)\*\*/g, `${slash}fB$1${slash}fR`)
    .replace(/(?<![\w*/])\*([^*\s][^*]*)\*(?![\w*])/g, `${slash}fI$1${slash}fR`)
    .replaceAll("–", `${slash}(en`).replaceAll("…", "...");
  return sentences(fonts).map((one) => lines(one, width)).join("").replaceAll(slash, "\\");
}

/** Each begins a line of its own, as mdoc has it. */
function sentences(text: string): string[] {
  return text.split(/(?<=[\w)"'\]][.?!]["')]*(?:\ue000fR)?) (?=["'(]*(?:\ue000f[BI])?["'(]*\w)/).flatMap((one) =>
    one === "" ? [] : [one]
  );
}
