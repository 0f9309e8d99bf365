/**
 * Takes a chunked body apart, strictly (RFC 9112 7.1): hex sizes of up to 8 digits, CRLF and nothing else between the
 * parts; extensions and trailers are checked, bounded and dropped. Pure and incremental.
 */
import { isTokenByte, isValueByte } from "./head.ts";
import { TooLarge } from "./http.ts";

const sizeDigitsMax = 8;
const extensionMax = 256;
const trailerMax = 8192;

const [lf, cr, colon, semicolon] = [0x0a, 0x0d, 0x3a, 0x3b];

type State =
  | "size"
  | "extension"
  | "sizeEnd"
  | "data"
  | "dataCr"
  | "dataLf"
  | "trailer"
  | "trailerName"
  | "trailerValue"
  | "trailerLf"
  | "lastLf"
  | "done";

/** The framing is wrong: where the request ends cannot be known. */
export class BadChunk extends Error {}

export class ChunkedBody {
  #state: State = "size";
  #digits = 0;
  #left = 0;
  /** Bytes of extensions and trailers, of all chunks together. */
  #skipped = 0;
  /** One piece with room at its end: with a part for each, chunks of one byte would take a hundred times their size. */
  #bytes = new Uint8Array(0);
  #length = 0;
  readonly #limit: number;

  /** `limit` is the most bytes of data. */
  constructor(limit: number) {
    this.#limit = limit;
  }
  get done(): boolean {
    return this.#state === "done";
  }
  /** Bytes of the body so far. */
  get length(): number {
    return this.#length;
  }
  get whole(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Takes bytes; returns how many belonged to the body. Throws `BadChunk`, or `TooLarge` as soon as a size says so. */
  take(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") at += this.#data(bytes, at);
      else this.#byte(bytes[at++]!);
    }
    return at;
  }

  #data(bytes: Uint8Array, at: number): number {
    const count = Math.min(this.#left, bytes.length - at);
    if (this.#length + count > this.#bytes.length) this.#grow(this.#length + count);
    this.#bytes.set(bytes.subarray(at, at + count), this.#length);
    this.#length += count;
    this.#left -= count;
    if (this.#left === 0) this.#state = "dataCr";
    return count;
  }

  #grow(least: number): void {
    const larger = new Uint8Array(Math.max(least, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  #byte(byte: number): void {
    switch (this.#state) {
      case "size":
        return this.#size(byte);
      case "extension":
        return this.#extension(byte);
      case "sizeEnd":
        return this.#sizeEnd(byte);
      case "dataCr":
        return this.#expect(byte, cr, "dataLf");
      case "dataLf":
        this.#digits = 0;
        return this.#expect(byte, lf, "size");
      case "trailer":
        return byte === cr ? this.#to("lastLf") : this.#trailerName(byte);
      case "trailerName":
        return byte === colon ? this.#skip("trailerValue", trailerMax) : this.#trailerName(byte);
      case "trailerValue":
        return this.#trailerValue(byte);
      case "trailerLf":
        return this.#expect(byte, lf, "trailer");
      case "lastLf":
        return this.#expect(byte, lf, "done");
    }
  }

  #size(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > sizeDigitsMax) throw new BadChunk("A chunk's size has more than 8 digits");
      this.#left = this.#left * 16 + digit;
      return;
    }
    if (this.#digits === 0) throw new BadChunk("A chunk has no size");
    if (byte === cr) this.#to("sizeEnd");
    else if (byte === semicolon) this.#skip("extension", extensionMax);
    else throw new BadChunk("A chunk's size is no hex number");
  }

  #sizeEnd(byte: number): void {
    this.#expect(byte, lf, this.#left > 0 ? "data" : "trailer");
    if (this.#length + this.#left > this.#limit) throw new TooLarge("The body is beyond the limit");
  }

  #extension(byte: number): void {
    if (byte === cr) return this.#to("sizeEnd");
    if (!isValueByte(byte)) throw new BadChunk("A chunk's extension is not taken");
    this.#skip("extension", extensionMax);
  }

  /** What trailers say is of no use here; but what is no field line may be meant as the next request. */
  #trailerName(byte: number): void {
    if (!isTokenByte(byte)) throw new BadChunk("The trailer is no field line");
    this.#skip("trailerName", trailerMax);
  }

  #trailerValue(byte: number): void {
    if (byte === cr) return this.#to("trailerLf");
    if (!isValueByte(byte)) throw new BadChunk("The trailer is no field line");
    this.#skip("trailerValue", trailerMax);
  }

  #skip(next: State, max: number): void {
    if (++this.#skipped > max) throw new BadChunk("There is too much beside the chunks' data");
    this.#state = next;
  }

  #expect(byte: number, wanted: number, next: State): void {
    if (byte !== wanted) throw new BadChunk("A chunk does not end where its size says");
    this.#state = next;
  }

  #to(next: State): void {
    this.#state = next;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
