/** Room for the bytes of many messages, so that each costs no buffer of its own. They must not be transferred to another thread. */

const slabBytes = 1 << 18;
const brace = 0x7d;
const encoder = new TextEncoder();

export class Slab {
  bytes: Uint8Array = new Uint8Array(slabBytes);
  /** Where what comes next goes. */
  at = 0;

  /** The text as UTF-8. */
  text(text: string): Uint8Array {
    this.need(3 * text.length);
    const start = this.at;
    this.at += encoder.encodeInto(text, this.bytes.subarray(start)).written;
    return this.bytes.subarray(start, this.at);
  }

  /** The text, the bytes as they are, and the brace that ends a JSON object. */
  object(text: string, data: Uint8Array): Uint8Array {
    // In one piece: what a call of the encoder costs does not depend on the length. A character takes at most three bytes.
    this.need(3 * text.length + data.length + 1);
    const start = this.at;
    this.at += encoder.encodeInto(text, this.bytes.subarray(start)).written;
    this.bytes.set(data, this.at);
    this.at += data.length;
    this.bytes[this.at++] = brace;
    return this.bytes.subarray(start, this.at);
  }

  /** Room for so many bytes, to be filled from its start; `used` says how many were. */
  room(count: number): Uint8Array {
    this.need(count);
    return this.bytes.subarray(this.at, this.at + count);
  }
  used(count: number): Uint8Array {
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** Makes room for so many bytes, perhaps in other bytes than before. */
  need(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    this.bytes = new Uint8Array(Math.max(slabBytes, count));
    this.at = 0;
  }
}
