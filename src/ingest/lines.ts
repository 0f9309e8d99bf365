/** Bytes that come piece by piece, as lines. One that is too long is passed over to its end, and takes no room. */

const lineFeed = 10;
const carriageReturn = 13;
const none = new Uint8Array(0);

export class Lines {
  readonly #most: number;
  readonly #tooLong: () => void;
  /** Of a line whose end has not come. */
  #begun: Uint8Array = none;
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
      const line = this.#begunBytes === 0 ? last : this.#joined(last);
      const end = line.at(-1) === carriageReturn ? line.length - 1 : line.length;
      if (end > 0) each(line.subarray(0, end));
    }
    this.#forget();
    this.#passing = false;
  }

  #begin(rest: Uint8Array): void {
    if (rest.length === 0 || this.#passing) return;
    if (this.#begunBytes + rest.length <= this.#most) {
      this.#begunBytes = this.#joined(rest).length;
      return;
    }
    this.#passing = true;
    this.#tooLong();
    this.#forget();
  }

  /** What was begun, with this behind it. Room is doubled: pieces may be as small as a byte. */
  #joined(rest: Uint8Array): Uint8Array {
    const length = this.#begunBytes + rest.length;
    if (length > this.#begun.length) {
      const larger = new Uint8Array(Math.max(length, Math.min(this.#most, 2 * this.#begun.length)));
      larger.set(this.#begun.subarray(0, this.#begunBytes));
      this.#begun = larger;
    }
    this.#begun.set(rest, this.#begunBytes);
    return this.#begun.subarray(0, length);
  }

  #forget(): void {
    this.#begun = none;
    this.#begunBytes = 0;
  }
}
