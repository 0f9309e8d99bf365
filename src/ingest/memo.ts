/** Texts of bytes. What was asked for last is given again: one sender's requests are much alike. */

const lengthMax = 256;
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export class TextMemo {
  readonly #bytes = new Uint8Array(lengthMax);
  #length = -1;
  #text = "";

  /** Bytes that are no UTF-8 stand as U+FFFD. */
  of(bytes: Uint8Array, from: number, to: number): string {
    if (to - from === this.#length && this.#isLast(bytes, from)) return this.#text;
    const part = bytes.subarray(from, to);
    const text = utf8.decode(part);
    if (part.length <= lengthMax) this.#keep(part, text);
    return text;
  }

  #isLast(bytes: Uint8Array, from: number): boolean {
    const last = this.#bytes;
    for (let i = 0; i < this.#length; i++) if (last[i] !== bytes[from + i]) return false;
    return true;
  }

  #keep(part: Uint8Array, text: string): void {
    this.#bytes.set(part);
    this.#length = part.length;
    this.#text = text;
  }
}
