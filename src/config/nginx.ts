/** Reads nginx's configuration: directives with their arguments, blocks and lines. Knows the notation, not what directives mean. */

export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly line: number;
  /** What stands in its block, if it has one. */
  readonly block: readonly Directive[] | undefined;
}

/** A file that nginx would not take. */
export class NginxProblem extends Error {
  readonly line: number;
  constructor(line: number, reason: string) {
    super(reason);
    this.line = line;
  }
}

const depthMax = 32;
const textMax = 4 * 1024 * 1024;

/** Throws `NginxProblem`. */
export function parseNginx(text: string): Directive[] {
  if (text.length > textMax) throw new NginxProblem(1, "it is larger than 4 MiB");
  return new Reader(text.replace(/^\ufeff/, "")).directives(0, 1);
}

type Token = { readonly kind: "word"; readonly text: string } | { readonly kind: ";" | "{" | "}" | "end" };

class Reader {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** Up to the end of the block that was opened in line `opened`, or of the file. */
  directives(depth: number, opened: number): Directive[] {
    if (depth > depthMax) throw new NginxProblem(this.#line, `blocks are nested deeper than ${depthMax}`);
    const found: Directive[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === "word") found.push(this.#directive(token.text, depth));
      else if (token.kind === "end" && depth === 0) return found;
      else if (token.kind === "}" && depth > 0) return found;
      else if (token.kind === "end") throw new NginxProblem(opened, 'this block has no closing "}"');
      else throw new NginxProblem(this.#line, `unexpected "${token.kind}"`);
    }
  }

  #directive(name: string, depth: number): Directive {
    const line = this.#line;
    const args: string[] = [];
    for (;;) {
      const token = this.#next();
      if (token.kind === "word") args.push(token.text);
      else if (token.kind === ";") return { name, args, line, block: undefined };
      else if (token.kind === "{") return { name, args, line, block: this.#block(name, depth) };
      else throw new NginxProblem(line, `"${shown(name)}" has no ";" behind it`);
    }
  }

  #block(name: string, depth: number): Directive[] {
    const opened = this.#line;
    if (!name.endsWith("_by_lua_block")) return this.directives(depth + 1, opened);
    // Another language: only its braces count.
    for (let open = 1; open > 0; this.#at++) {
      const letter = this.#text[this.#at];
      if (letter === undefined) throw new NginxProblem(opened, 'this block has no closing "}"');
      if (letter === "\n") this.#line++;
      else if (letter === "{") open++;
      else if (letter === "}") open--;
    }
    return [];
  }

  #next(): Token {
    this.#skip();
    const letter = this.#text[this.#at];
    if (letter === undefined) return { kind: "end" };
    if (letter === ";" || letter === "{" || letter === "}") {
      this.#at++;
      return { kind: letter };
    }
    return { kind: "word", text: letter === '"' || letter === "'" ? this.#quoted(letter) : this.#word() };
  }

  /** Spaces, line ends and comments. */
  #skip(): void {
    for (;; this.#at++) {
      const letter = this.#text[this.#at];
      if (letter === "#") {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = (end < 0 ? this.#text.length : end) - 1;
      } else if (letter === "\n") this.#line++;
      else if (letter !== " " && letter !== "\t" && letter !== "\r") return;
    }
  }

  #word(): string {
    let word = "";
    for (;; this.#at++) {
      const letter = this.#text[this.#at];
      // "${name}" is a variable, and its brace no block.
      if (letter === "$" && this.#text[this.#at + 1] === "{") {
        word += "${";
        this.#at++;
      } else if (letter === "}" && word.lastIndexOf("${") > word.lastIndexOf("}")) word += letter;
      else if (letter === undefined || " \t\r\n;{}".includes(letter)) return word;
      else word += letter === "\\" ? this.#escaped() : letter;
    }
  }

  #quoted(quote: string): string {
    const opened = this.#line;
    let word = "";
    for (this.#at++;; this.#at++) {
      const letter = this.#text[this.#at];
      if (letter === undefined) throw new NginxProblem(opened, "a quote without end");
      if (letter === quote) {
        this.#at++;
        return word;
      }
      if (letter === "\n") this.#line++;
      word += letter === "\\" ? this.#escaped() : letter;
    }
  }

  /** What a backslash and the next character stand for; stays at that character. */
  #escaped(): string {
    const letter = this.#text[++this.#at] ?? "";
    if (letter === "\n") this.#line++;
    const escapes: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n" };
    if (Object.hasOwn(escapes, letter)) return escapes[letter]!;
    return `"'\\ ;{}#`.includes(letter) ? letter : `\\${letter}`;
  }
}

function shown(name: string): string {
  return name.length > 40 ? `${name.slice(0, 40)}…` : name;
}
