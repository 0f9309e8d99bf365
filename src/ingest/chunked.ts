/**
 * Takes a chunked body apart, strictly (RFC 9112 7.1): hex sizes of up to 8 digits, CRLF and nothing else between the parts;
 * extensions and trailers are checked, bounded and dropped. Pure and incremental.
 */
const extensionMax = 256;
const trailerMax = 8192;

type State = "size" | "extension" | "sizeEnd" | "data" | "dataCr" | "dataLf" | "trailer" | "trailerLf" | "done";

/** The framing is wrong: where the request ends cannot be known. */
export class BadChunk extends Error {}

export class ChunkedBody {
  #state: State = "size";
  #digits = 0;
  #left = 0;
  #skipped = 0;
  /** Bytes in the present line of the trailer. */
  #line = 0;
  readonly #parts: Uint8Array[] = [];
  /** Of the body so far. */
  length = 0;

  get done(): boolean {
    return this.#state === "done";
  }

  /** Takes bytes; returns how many belonged to the body. Throws `BadChunk`. */
  take(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") at += this.#data(bytes, at);
      else this.#byte(bytes[at++]!);
    }
    return at;
  }

  whole(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  #data(bytes: Uint8Array, at: number): number {
    const count = Math.min(this.#left, bytes.length - at);
    this.#parts.push(bytes.slice(at, at + count));
    this.length += count;
    this.#left -= count;
    if (this.#left === 0) this.#state = "dataCr";
    return count;
  }

  #byte(byte: number): void {
    switch (this.#state) {
      case "size":
        return this.#size(byte);
      case "extension":
        return this.#extension(byte);
      case "sizeEnd":
        return this.#expect(byte, 0x0a, this.#left > 0 ? "data" : "trailer");
      case "dataCr":
        return this.#expect(byte, 0x0d, "dataLf");
      case "dataLf":
        this.#digits = 0;
        return this.#expect(byte, 0x0a, "size");
      case "trailer":
        return this.#trailer(byte);
      case "trailerLf":
        this.#expect(byte, 0x0a, this.#line === 0 ? "done" : "trailer");
        this.#line = 0;
    }
  }

  #size(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > 8) throw new BadChunk("A chunk's size has more than 8 digits");
      this.#left = this.#left * 16 + digit;
      return;
    }
    if (this.#digits === 0) throw new BadChunk("A chunk's size is no hex number");
    if (byte === 0x0d) this.#state = "sizeEnd";
    else if (byte === 0x3b) this.#state = "extension";
    else throw new BadChunk("A chunk's size is no hex number");
  }

  #extension(byte: number): void {
    if (byte === 0x0d) this.#state = "sizeEnd";
    else if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f || ++this.#skipped > extensionMax) {
      throw new BadChunk("A chunk's extension is not taken");
    }
  }

  /** Lines up to an empty one; what they say is of no use here. */
  #trailer(byte: number): void {
    if (byte === 0x0d) {
      this.#state = "trailerLf";
      return;
    }
    this.#line++;
    if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f || ++this.#skipped > trailerMax) {
      throw new BadChunk("The trailer is not taken");
    }
  }

  #expect(byte: number, wanted: number, next: State): void {
    if (byte !== wanted) throw new BadChunk("A chunk does not end where its size says");
    this.#state = next;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
