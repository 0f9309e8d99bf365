/**
 * Walks a JSON body: one message, an array of them, or one a line; says where it breaks. What a message is, the heirs know: messages
 * of ours (`json.ts`), CloudEvents (`cloud_event.ts`).
 */
import { isAscii, isUtf8 } from "node:buffer";
import type { EntryWriter } from "../message/wire.ts";
import type { PlainRun } from "./plain_lines.ts";
import { badMessage, type Problem } from "./problem.ts";
import { type Rules, tooLong, tooMany } from "./rules.ts";
import { byte, Scanner } from "./scanner.ts";

/** RFC 8259 lets a reader ignore a byte order mark. */
export function withoutMark(body: Uint8Array): Uint8Array {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
}

export abstract class JsonBody {
  protected readonly bytes: Uint8Array;
  protected readonly rules: Rules;
  protected readonly scanner: Scanner;
  protected readonly isUtf8: boolean;
  protected readonly into: EntryWriter;
  /** Of the message being read, counted from 1; and where that line begins. */
  protected line = 1;
  #lineStart = 0;

  constructor(bytes: Uint8Array, lines: boolean, rules: Rules, into: EntryWriter) {
    this.bytes = bytes;
    this.rules = rules;
    this.into = into;
    this.isUtf8 = isAscii(bytes) || isUtf8(bytes);
    this.scanner = new Scanner(bytes, { depthMax: rules.depthMax, lines, checkUtf8: !this.isUtf8 });
  }

  /** A message opened in the entry, and nothing known of it yet. */
  protected abstract begin(): void;
  /** One member, from its name to behind its value. */
  protected abstract member(): Problem | undefined;
  /** All of the message was read, from `start` to `end`: puts what is left of it. */
  protected abstract finish(start: number, end: number): Problem | undefined;
  /** Takes the lines from `start` on that need no second look; how far that went, or nothing when it took none. */
  protected plain(_start: number): PlainRun | undefined {
    return undefined;
  }

  get isList(): boolean {
    return this.scanner.peek() === byte.openList;
  }

  /** One message and nothing behind it; "more" when something is, so it may be lines. */
  single(): Problem | "more" | undefined {
    this.scanner.peek();
    const start = this.scanner.at;
    const problem = this.#read();
    if (problem !== undefined) return this.#badSingle(problem, start);
    const end = this.scanner.at;
    if (this.scanner.peek() >= 0) return "more";
    const last = this.#finish(start, end);
    return last && this.#badSingle(last, start);
  }

  #badSingle(problem: Problem, start: number): Problem | "more" | undefined {
    const whole = { ...problem, line: undefined };
    if (!this.#diverts(problem)) return whole;
    // What breaks may be lines, of which the first is broken.
    const end = this.#behind(start);
    return end === undefined || this.scanner.peek() >= 0 ? "more" : this.#divert(whole, start, end);
  }

  list(): Problem | undefined {
    const scanner = this.scanner;
    scanner.at++;
    if (scanner.peek() === byte.closeList) scanner.at++;
    else {
      do {
        scanner.peek();
        const start = scanner.at;
        const problem = this.#read() ?? this.#finish(start, scanner.at);
        const left = problem && this.#badElement(problem, start);
        if (left !== undefined) return left;
        this.line++;
      } while (scanner.pass(byte.comma));
      if (!scanner.pass(byte.closeList)) return this.unexpected();
    }
    return scanner.peek() < 0 ? undefined : this.unexpected();
  }

  /** Behind one that is broken nobody knows where the next begins. */
  #badElement(problem: Problem, start: number): Problem | undefined {
    const end = this.#diverts(problem) ? this.#behind(start) : undefined;
    return end === undefined ? problem : this.#divert(problem, start, end);
  }

  lines(): Problem | undefined {
    const scanner = this.scanner;
    this.#passPlain();
    for (let next = scanner.peek(); next >= 0; next = scanner.peek()) {
      if (next !== byte.newline) {
        const start = scanner.at;
        const problem = this.#oneLine();
        const left = problem && this.#badLine(problem, start);
        if (left !== undefined) return left;
      }
      scanner.at++;
      this.line++;
      this.#lineStart = scanner.at;
      this.#passPlain();
    }
    return undefined;
  }

  #passPlain(): void {
    const run = this.plain(this.scanner.at);
    if (run === undefined) return;
    this.line += run.lines;
    this.scanner.at = this.#lineStart = run.end;
  }

  #oneLine(): Problem | undefined {
    const scanner = this.scanner;
    const start = scanner.at;
    const problem = this.#read();
    if (problem !== undefined) return problem;
    const end = scanner.at;
    const next = scanner.peek();
    return next < 0 || next === byte.newline ? this.#finish(start, end) : this.broken("more than one message");
  }

  #badLine(problem: Problem, start: number): Problem | undefined {
    if (!this.#diverts(problem)) return problem;
    const { bytes, scanner } = this;
    const found = bytes.indexOf(byte.newline, start);
    const end = found < 0 ? bytes.length : found;
    scanner.at = end;
    scanner.depth = 0;
    return this.#divert(problem, start, end);
  }

  #diverts(problem: Problem): boolean {
    return this.rules.badRows?.takes(problem) === true;
  }

  #divert(problem: Problem, start: number, end: number): Problem | undefined {
    return this.rules.badRows!.put(this.into, this.bytes.subarray(start, end), problem);
  }

  /** Where the value that begins at `start` ends, and the scanner there; nothing when it is broken. */
  #behind(start: number): number | undefined {
    const scanner = this.scanner;
    scanner.at = start;
    scanner.depth = 0;
    return scanner.value() ? scanner.at : undefined;
  }

  /** From "{" to "}". */
  #read(): Problem | undefined {
    const scanner = this.scanner;
    if (scanner.peek() !== byte.open) return this.broken("no JSON object");
    if (this.into.count >= this.rules.messagesMax) return tooMany(this.rules.messagesMax, this.line);
    this.into.open();
    this.begin();
    scanner.enter();
    if (!scanner.pass(byte.close)) {
      do {
        if (scanner.peek() !== byte.quote) return this.unexpected();
        const problem = this.member();
        if (problem !== undefined) return problem;
      } while (scanner.pass(byte.comma));
      if (!scanner.pass(byte.close)) return this.unexpected();
    }
    scanner.leave();
    return undefined;
  }

  #finish(start: number, end: number): Problem | undefined {
    if (end - start > this.rules.messageMax) return tooLong(this.rules.messageMax, this.line);
    return this.finish(start, end);
  }

  /** What the inside of a string says; to be asked right after the scanner read it. */
  protected textAt(start: number, end: number): string {
    const inside = utf8.decode(this.bytes.subarray(start, end));
    return this.scanner.escaped ? JSON.parse(`"${inside}"`) : inside;
  }

  protected here(problem: Problem | undefined): Problem | undefined {
    return problem && { ...problem, line: this.line };
  }
  protected unexpected(): Problem {
    this.scanner.unexpected();
    return this.fault();
  }
  protected broken(what: string): Problem {
    this.scanner.fail(what);
    return this.fault();
  }
  protected fault(): Problem {
    const { fault, faultAt } = this.scanner;
    return badMessage(undefined, `The message breaks at byte ${faultAt - this.#lineStart + 1}: ${fault}`, this.line);
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
