/** Bytes that come piece by piece, as lines. One that is too long is passed over to its end, and takes no room. */

const lineFeed = 10;
const carriageReturn = 13;

export class Lines {
  readonly #most: number;
  readonly #tooLong: () => void;
  /** Of a line whose end has not come. */
  #begun: Uint8Array[] = [];
  #begunBytes = 0;
  #passing = false;

  /** A line has at most so many bytes; `tooLong` is called once for each that has more. */
  constructor(most: number, tooLong: () => void) {
    this.#most = most;
    this.#tooLong = tooLong;
  }

  /** Calls `each` for every line that is whole now, without its end; empty ones are left out. The bytes may change afterwards. */
  add(bytes: Uint8Array, each: (line: Uint8Array) => void): void {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(lineFeed, start);
      if (end < 0) break;
      this.#end(bytes.subarray(start, end), each);
      start = end + 1;
    }
    this.#begin(bytes.subarray(start));
  }

  /** What has no end yet counts as a line. */
  finish(each: (line: Uint8Array) => void): void {
    this.#end(new Uint8Array(0), each);
  }

  #end(last: Uint8Array, each: (line: Uint8Array) => void): void {
    if (this.#begunBytes + last.length > this.#most && !this.#passing) this.#tooLong();
    else if (!this.#passing) {
      const line = this.#begun.length === 0 ? last : joined([...this.#begun, last]);
      const end = line.at(-1) === carriageReturn ? line.length - 1 : line.length;
      if (end > 0) each(line.subarray(0, end));
    }
    this.#forget();
    this.#passing = false;
  }

  #begin(rest: Uint8Array): void {
    if (rest.length === 0 || this.#passing) return;
    this.#begunBytes += rest.length;
    if (this.#begunBytes <= this.#most) {
      this.#begun.push(rest.slice());
      return;
    }
    this.#passing = true;
    this.#tooLong();
    this.#forget();
  }

  #forget(): void {
    this.#begun = [];
    this.#begunBytes = 0;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
