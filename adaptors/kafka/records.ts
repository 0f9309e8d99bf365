/**
 * A batch of records as Kafka keeps it: format version 2 (magic 2), of KIP-98 and of "Record Batch" in the protocol's guide
 * (https://kafka.apache.org/documentation/#recordbatch). Records are written one behind the other into one buffer that grows, by
 * whatever knows what is in them. Knows no sockets.
 *
 * | at | bytes | what |
 * |---|---|---|
 * | 0 | 8 | offset of the first record: 0, the broker says |
 * | 8 | 4 | how many bytes follow |
 * | 12 | 4 | epoch of the partition's leader: -1, the broker says |
 * | 16 | 1 | 2: this format |
 * | 17 | 4 | CRC-32C of all that follows |
 * | 21 | 2 | compression, in the lowest three bits |
 * | 23 | 4 | offset of the last record, from the first |
 * | 27 | 8 | timestamp of the first record |
 * | 35 | 8 | latest timestamp |
 * | 43 | 8 | producer's id |
 * | 51 | 2 | producer's epoch |
 * | 53 | 4 | sequence number of the first record |
 * | 57 | 4 | how many records |
 * | 61 | | the records, compressed together |
 *
 * A record: its length, attributes (a byte, 0), its time and offset from the first record's, key, value, the number of headers,
 * and of each its name and value. All numbers are zigzag varints; a length of -1 is no key.
 */

/** By which brokers know whose batch it is, and whether they have it. */
export interface Stamp {
  readonly producerId: bigint;
  readonly epoch: number;
  /** Of the first record; the others follow it. */
  readonly sequence: number;
}

export interface Packing {
  /** Kafka's number for it; 0 is none. */
  readonly compression: number;
  readonly compress: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;
  /** CRC-32C. */
  readonly checksum: (bytes: Uint8Array) => number;
}

export const batchHeadBytes = 61;
const checkedFrom = 21;
const lengthFrom = 12;
const beginBytes = 16 * 1024;
/** A varint of 32 bits, and one of 64. */
const [varintBytes, longVarintBytes] = [5, 10] as const;
/** Up to here a loop copies sooner than a call. */
const loopMax = 64;
const encoder = new TextEncoder();

export class RecordBatch {
  #bytes = new Uint8Array(beginBytes);
  #at = batchHeadBytes;
  #count = 0;
  #firstTimestamp = 0;
  #latest = 0;
  #latestBefore = 0;
  /** Of the record that is being written: where it begins, and how many bytes are kept for its length. */
  #from = 0;
  #kept = 2;
  /** All records, compressed. */
  #packed: Uint8Array | undefined;

  get count(): number {
    return this.#count;
  }
  /** Before compression. */
  get bytes(): number {
    return this.#at;
  }

  /** Then follow as many headers as were said, and `end`. */
  begin(timestamp: number, key: Uint8Array | undefined, value: Uint8Array, headers: number): void {
    this.#latestBefore = this.#latest;
    if (this.#count === 0) this.#firstTimestamp = this.#latest = timestamp;
    else if (timestamp > this.#latest) this.#latest = timestamp;
    this.#need(6 * varintBytes + longVarintBytes + (key?.length ?? 0) + value.length);
    this.#from = this.#at;
    this.#at += this.#kept;
    this.#bytes[this.#at++] = 0;
    this.#longVarint(timestamp - this.#firstTimestamp);
    this.#varint(this.#count);
    if (key === undefined) this.#varint(-1);
    else this.#put(key);
    this.#put(value);
    this.#varint(headers);
  }

  header(name: Uint8Array, text: string): void {
    // As UTF-8, each part of a text's length has three bytes at most.
    this.#need(2 * varintBytes + name.length + 3 * text.length);
    this.#put(name);
    this.#text(text);
  }

  /** How many bytes the record has. */
  end(): number {
    const length = this.#at - this.#from - this.#kept;
    const needed = varintLength(length);
    if (needed !== this.#kept) this.#move(this.#from + this.#kept, needed - this.#kept);
    const end = this.#at;
    this.#at = this.#from;
    this.#varint(length);
    this.#at = end;
    // The next is about as long.
    this.#kept = needed;
    this.#count++;
    return end - this.#from;
  }

  /** Forgets the record that was written last. May follow an `end` only, once. */
  takeBack(): void {
    this.#at = this.#from;
    this.#latest = this.#latestBefore;
    this.#count--;
  }

  /** What brokers take. Good until the next call; no record may be added any more. */
  async seal(stamp: Stamp, { compression, compress, checksum }: Packing): Promise<Uint8Array> {
    if (compression !== 0) {
      this.#packed ??= await compress(this.#bytes.subarray(batchHeadBytes, this.#at));
      const sealed = new Uint8Array(batchHeadBytes + this.#packed.length);
      sealed.set(this.#packed, batchHeadBytes);
      return this.#headed(sealed, stamp, { compression, checksum });
    }
    return this.#headed(this.#bytes.subarray(0, this.#at), stamp, { compression, checksum });
  }

  #headed(
    bytes: Uint8Array,
    { producerId, epoch, sequence }: Stamp,
    { compression, checksum }: Pick<Packing, "compression" | "checksum">,
  ): Uint8Array {
    const view = new DataView(bytes.buffer, bytes.byteOffset, batchHeadBytes);
    view.setBigInt64(0, 0n);
    view.setInt32(8, bytes.length - lengthFrom);
    view.setInt32(12, -1);
    view.setInt8(16, 2);
    view.setInt16(21, compression);
    view.setInt32(23, this.#count - 1);
    view.setBigInt64(27, BigInt(this.#firstTimestamp));
    view.setBigInt64(35, BigInt(this.#latest));
    view.setBigInt64(43, producerId);
    view.setInt16(51, epoch);
    view.setInt32(53, sequence);
    view.setInt32(57, this.#count);
    view.setUint32(17, checksum(bytes.subarray(checkedFrom)));
    return bytes;
  }

  #need(bytes: number): void {
    // What a record keeps for its length may have to grow.
    const size = this.#at + bytes + varintBytes;
    if (size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }

  #put(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#varint(length);
    if (length > loopMax) this.#bytes.set(bytes, this.#at);
    else for (let i = 0; i < length; i++) this.#bytes[this.#at + i] = bytes[i]!;
    this.#at += length;
  }

  /** Most are short and ASCII. */
  #text(text: string): void {
    if (text.length > loopMax) return this.#put(encoder.encode(text));
    const from = this.#at;
    this.#varint(text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        this.#at = from;
        return this.#put(encoder.encode(text));
      }
      this.#bytes[this.#at++] = code;
    }
  }

  /** What begins here goes on so much later. */
  #move(from: number, by: number): void {
    this.#bytes.copyWithin(from + by, from, this.#at);
    this.#at += by;
  }

  #varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = rest & 0x7f | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  #longVarint(value: number): void {
    if (value === value >> 0) return this.#varint(value);
    let rest = BigInt(value) << 1n ^ BigInt(value) >> 63n;
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(rest);
  }
}

/** Of a length that is not negative. */
function varintLength(value: number): number {
  let bytes = 1;
  for (let rest = value * 2; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
