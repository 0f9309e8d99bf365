/**
 * Reads JSON strictly (RFC 8259) over bytes: tells where values begin and end, and never changes them. It accepts exactly what
 * `JSON.parse` accepts, but counts the nesting before anything is built.
 */
import { isUtf8 } from "node:buffer";
import { quoted } from "./problem.ts";

export const byte = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  open: 0x7b,
  close: 0x7d,
  openList: 0x5b,
  closeList: 0x5d,
  newline: 0x0a,
};

const backslash = 0x5c;
const minus = 0x2d;
const dot = 0x2e;
const zero = 0x30;

/** What a byte means inside a string. */
const [plain, ends, escapes, control, wide] = [0, 1, 2, 3, 4];
const inString = new Uint8Array(256);
inString.fill(control, 0, 0x20);
inString.fill(wide, 0x80);
inString[byte.quote] = ends;
inString[backslash] = escapes;

const lastSpace = 0x20;
const isSpace = new Uint8Array(256);
for (const space of " \t\r\n") isSpace[space.charCodeAt(0)] = 1;
const isLineSpace = isSpace.slice();
isLineSpace[byte.newline] = 0;

/** How many bytes an escape has from this letter on; 0 when the letter begins none. */
const escapeBytes = new Uint8Array(256);
for (const letter of '"\\/bfnrt') escapeBytes[letter.charCodeAt(0)] = 1;
escapeBytes[0x75] = 5;

const words = new Map([[0x74, "true"], [0x66, "false"], [0x6e, "null"]]);

export interface ScannerOptions {
  readonly depthMax: number;
  /** Whether a line end is no space: for bodies with one value a line. */
  readonly lines: boolean;
  /** Whether strings have to be checked for UTF-8 here, because the whole is known not to be. */
  readonly checkUtf8: boolean;
}

export class Scanner {
  at = 0;
  /** How many objects and arrays are open. */
  depth = 0;
  /** Of the string read last: whether it holds escapes, and bytes beyond ASCII. */
  escaped = false;
  wide = false;
  /** What is wrong, once a method has returned false. */
  fault = "";
  faultAt = 0;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #spaces: Uint8Array;
  readonly #depthMax: number;
  readonly #checkUtf8: boolean;

  constructor(bytes: Uint8Array, options: ScannerOptions) {
    this.#bytes = bytes;
    this.#end = bytes.length;
    this.#spaces = options.lines ? isLineSpace : isSpace;
    this.#depthMax = options.depthMax;
    this.#checkUtf8 = options.checkUtf8;
  }

  /** The next byte that is no space, or -1 at the end. */
  peek(): number {
    const next = this.at < this.#end ? this.#bytes[this.at]! : -1;
    return next > lastSpace ? next : this.#peekFurther();
  }

  /** Goes on behind `wanted` when it is next. */
  pass(wanted: number): boolean {
    if (this.peek() !== wanted) return false;
    this.at++;
    return true;
  }

  /** One value of any kind. */
  value(): boolean {
    const next = this.peek();
    if (next === byte.quote) return this.string();
    if (next === byte.open) return this.#object();
    if (next === byte.openList) return this.#list();
    const word = words.get(next);
    return word === undefined ? this.number() : this.#word(word);
  }

  /** From the opening quote to behind the closing one. */
  string(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    const start = this.at;
    this.escaped = false;
    this.wide = false;
    for (let at = start + 1; at < end; at++) {
      const kind = inString[bytes[at]!];
      if (kind === plain) continue;
      if (kind === ends) {
        this.at = at + 1;
        return !this.wide || !this.#checkUtf8 || this.#utf8(start, at);
      }
      if (kind === wide) this.wide = true;
      else if (kind === control) return this.fail("a control character in a string", at);
      else {
        const more = this.#escape(at + 1);
        if (more === 0) return this.fail("a bad escape in a string", at);
        this.escaped = true;
        at += more;
      }
    }
    return this.fail("a string without end", start);
  }

  number(): boolean {
    const bytes = this.#bytes;
    let at = this.at;
    if (bytes[at] === minus) at++;
    if (bytes[at] === zero) at++;
    else if ((at = this.#digits(at)) < 0) return this.unexpected();
    if (bytes[at] === dot && (at = this.#digits(at + 1)) < 0) return this.fail("a number without digits after its dot");
    if (at < this.#end && (bytes[at]! | 0x20) === 0x65) {
      at++;
      if (bytes[at] === 0x2b || bytes[at] === minus) at++;
      if ((at = this.#digits(at)) < 0) return this.fail("a number without digits in its exponent");
    }
    this.at = at;
    return true;
  }

  /** Opens an object or array; the caller has seen its first byte. */
  enter(): boolean {
    this.at++;
    if (++this.depth <= this.#depthMax) return true;
    return this.fail(`nesting deeper than ${this.#depthMax}`, this.at - 1);
  }

  leave(): true {
    this.depth--;
    return true;
  }

  /** Complains about what stands next. */
  unexpected(): false {
    const next = this.peek();
    if (next < 0) return this.fail("an end too early");
    if (next === byte.newline) return this.fail("a line end inside a message");
    return this.fail(`an unexpected ${quoted(String.fromCharCode(next))}`);
  }

  fail(what: string, at = this.at): false {
    this.fault = what;
    this.faultAt = at;
    return false;
  }

  #peekFurther(): number {
    const bytes = this.#bytes;
    let at = this.at;
    while (at < this.#end && this.#spaces[bytes[at]!] === 1) at++;
    this.at = at;
    return at < this.#end ? bytes[at]! : -1;
  }

  #object(): boolean {
    if (!this.enter()) return false;
    if (this.pass(byte.close)) return this.leave();
    do {
      if (this.peek() !== byte.quote) return this.unexpected();
      if (!this.string()) return false;
      if (!this.pass(byte.colon)) return this.unexpected();
      if (!this.value()) return false;
    } while (this.pass(byte.comma));
    return this.pass(byte.close) ? this.leave() : this.unexpected();
  }

  #list(): boolean {
    if (!this.enter()) return false;
    if (this.pass(byte.closeList)) return this.leave();
    do {
      if (!this.value()) return false;
    } while (this.pass(byte.comma));
    return this.pass(byte.closeList) ? this.leave() : this.unexpected();
  }

  #word(word: string): boolean {
    for (let i = 0; i < word.length; i++) {
      if (this.#bytes[this.at + i] !== word.charCodeAt(i)) return this.unexpected();
    }
    this.at += word.length;
    return true;
  }

  /** Behind the digits from `at` on, or -1 when there is none. */
  #digits(at: number): number {
    const bytes = this.#bytes;
    const start = at;
    while (at < this.#end && bytes[at]! >= zero && bytes[at]! <= 0x39) at++;
    return at > start ? at : -1;
  }

  /** How many bytes the escape has behind its backslash; 0 when it is none. */
  #escape(at: number): number {
    const more = at < this.#end ? escapeBytes[this.#bytes[at]!]! : 0;
    for (let i = 1; i < more; i++) if (!isHex(this.#bytes[at + i])) return 0;
    return more;
  }

  #utf8(start: number, end: number): boolean {
    return isUtf8(this.#bytes.subarray(start, end)) || this.fail("bytes that are no UTF-8 in a string", start);
  }
}

function isHex(code: number | undefined): boolean {
  if (code === undefined) return false;
  return (code >= zero && code <= 0x39) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}
