import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { Commit } from "../../src/log/commit.ts";
import {
  bytesOfHex,
  chainStart,
  commitBytesMax,
  commitHeaderBytes,
  decodeCommitHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  entryBytesMax,
  flagIdempotency,
  getWhole,
  parseSegmentName,
  payloadBytesMax,
  payloadIsRight,
  putRecord,
  putWhole,
  randomId,
  readRecords,
  type RecordFound,
  recordHeaderBytes,
  Salt,
  salvageRecords,
  sealCommit,
  sealRecord,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentName,
} from "../../src/log/format.ts";
import type { Position } from "../../src/log/mod.ts";
import { chance } from "../sim/chance.ts";

const plain = { noNullPrototype: true };
const position = fc.maxSafeNat().map((n) => n as Position);
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const id = fc.stringMatching(/^[0-9a-f]{15}[1-9a-f]$/);
const header: fc.Arbitrary<SegmentHeader> = fc.record({
  node: id,
  segment: id,
  base: position,
  epoch: u32,
  sequence: u32,
  created: fc.nat(2 ** 42),
  previous: fc.option(fc.record({ segment: id, length: fc.maxSafeNat(), chain: u32, end: position }, plain), {
    nil: undefined,
  }),
}, plain);
const entry = fc.record({ bytes: fc.uint8Array({ maxLength: 300 }), count: fc.integer({ min: 1, max: 1000 }) }, plain);
const place = fc.record({ segment: id, offset: fc.nat(2 ** 30).map((n) => n * 8), chain: u32 });
const stamp = { time: 1_772_366_400_000, epoch: 3 };

interface Placed {
  readonly segment: string;
  readonly offset: number;
  readonly chain: number;
}

/** A commit of these entries for that place. */
function sealed(
  entries: readonly { bytes: Uint8Array; count: number }[],
  { segment, offset, chain }: Placed,
  first = 7,
) {
  const commit = new Commit();
  commit.first = first as Position;
  for (const { bytes, count } of entries) commit.add(bytes, count);
  return commit.seal({ salt: new Salt(segment), offset, chain }, stamp.time, stamp.epoch).bytes.slice();
}

function recordsOf(bytes: Uint8Array, { segment, offset }: Placed): RecordFound[] | undefined {
  const salt = new Salt(segment);
  const header = decodeCommitHeader(bytes, 0, salt, offset);
  const payload = bytes.subarray(commitHeaderBytes);
  if (header && payloadIsRight(payload, header, salt, offset)) return readRecords(payload, header);
  return header && salvageRecords(payload, header, salt, offset + commitHeaderBytes);
}

Deno.test("a segment's header is read as it was written", () => {
  fc.assert(fc.property(header, (header) => {
    const bytes = encodeSegmentHeader(header);
    assert.equal(bytes.length, segmentHeaderBytes);
    assert.deepEqual(decodeSegmentHeader(bytes, header.segment), header);
    assert.equal(typeof chainStart(bytes), "number");
  }));
});

Deno.test("a segment's header with any flipped bit, or under another id, is damaged", () => {
  const bytes = encodeSegmentHeader(fc.sample(header, { numRuns: 1, seed: 1 })[0]!);
  const { segment } = fc.sample(header, { numRuns: 1, seed: 1 })[0]!;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const copy = bytes.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(decodeSegmentHeader(copy, segment), "damaged", `bit ${bit}`);
  }
  assert.equal(decodeSegmentHeader(bytes, "0123456789abcdef"), "damaged");
  assert.equal(decodeSegmentHeader(bytes.subarray(0, 127), segment), "damaged");
});

Deno.test("a commit is read as it was written, at any place and of any size", () => {
  fc.assert(fc.property(fc.array(entry, { maxLength: 20 }), place, position, (entries, place, first) => {
    fc.pre(first + 20_000 < Number.MAX_SAFE_INTEGER);
    const bytes = sealed(entries, place, first);
    assert.equal(bytes.length % 8, 0);
    const head = decodeCommitHeader(bytes, 0, new Salt(place.segment), place.offset)!;
    assert.deepEqual(
      [head.first, head.time, head.epoch, head.chain, head.length],
      [first, stamp.time, stamp.epoch, place.chain, bytes.length - commitHeaderBytes],
    );
    assert.equal(head.count, entries.reduce((sum, { count }) => sum + count, 0));
    const records = recordsOf(bytes, place)!;
    assert.deepEqual(records.map(({ bytes, count }) => ({ bytes, count })), entries);
    let next: number = first;
    for (const { position, count } of records) {
      assert.equal(position, next);
      next += count;
    }
  }));
});

Deno.test("P3: a commit at another offset, or under another segment's id, is none", () => {
  fc.assert(fc.property(fc.array(entry, { maxLength: 3 }), place, place, (entries, here, there) => {
    fc.pre(here.segment !== there.segment && here.offset !== there.offset);
    const bytes = sealed(entries, here);
    assert.equal(recordsOf(bytes, { ...here, offset: there.offset }), undefined);
    assert.equal(recordsOf(bytes, { ...here, segment: there.segment }), undefined);
    assert.equal(recordsOf(bytes, { ...here, offset: here.offset + 8 }), undefined);
    const salt = new Salt(there.segment);
    const found = salvageRecords(
      bytes.subarray(commitHeaderBytes),
      { first: 7 as Position, count: 9 },
      salt,
      here.offset,
    );
    assert.ok(found.every((record) => record.bytes === undefined), "nor are its records");
  }));
});

Deno.test("a commit's header with any flipped bit is none", () => {
  const where = { segment: "00000000000000ab", offset: 4096, chain: 5 };
  const bytes = sealed([{ bytes: new Uint8Array([1, 2, 3]), count: 2 }], where);
  for (let bit = 0; bit < commitHeaderBytes * 8; bit++) {
    const copy = bytes.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(recordsOf(copy, where), undefined, `bit ${bit}`);
  }
});

Deno.test("a page of zeros is unwritten under every id and at every offset", () => {
  const zeros = new Uint8Array(4096);
  fc.assert(fc.property(place, ({ segment, offset }) => {
    const salt = new Salt(segment);
    assert.equal(decodeCommitHeader(zeros, 0, salt, offset), undefined);
    assert.equal(decodeSegmentHeader(zeros, segment), "damaged");
    const found = salvageRecords(zeros, { first: 0 as Position, count: 5 }, salt, offset);
    assert.deepEqual(found, [{ position: 0, count: 5, bytes: undefined }]);
  }));
});

Deno.test("a length that no commit can have is refused before anything is allocated for it, though its checksum is right", () => {
  const salt = new Salt("00000000000000ab");
  for (
    const [length, taken] of [[payloadBytesMax, true], [payloadBytesMax + 8, false], [2 ** 32 - 8, false]] as const
  ) {
    const bytes = new Uint8Array(commitHeaderBytes);
    const { time, epoch } = stamp;
    sealCommit(bytes, { length, count: 1, first: 0 as Position, time, epoch, chain: 0, flags: 0 }, salt, 4096);
    assert.equal(decodeCommitHeader(bytes, 0, salt, 4096) !== undefined, taken, `${length} bytes`);
  }
});

Deno.test("P8: of a commit with a damaged payload every whole record is read, at its own position", () => {
  const where = { segment: "00000000000000ab", offset: 4096, chain: 5 };
  const texts = ["one", "two", "three", "four", "five"];
  const bytes = sealed(texts.map((text) => ({ bytes: new TextEncoder().encode(text), count: 3 })), where, 100);
  const touched = new Set<string>();
  for (let at = commitHeaderBytes; at < bytes.length; at++) {
    const copy = bytes.slice();
    copy[at]! ^= 16;
    const records = recordsOf(copy, where)!;
    const read = records.filter((record) => record.bytes !== undefined);
    assert.ok(read.length >= texts.length - 1, `byte ${at}`);
    for (const { bytes, position } of read) {
      assert.equal(new TextDecoder().decode(bytes), texts[(position - 100) / 3]);
    }
    touched.add(
      records.filter(({ bytes }) => bytes === undefined).map(({ position, count }) => `${position} ${count}`).join(),
    );
  }
  assert.deepEqual([...touched].sort(), ["", "100 3", "103 3", "106 3", "109 3", "112 3"]);
});

Deno.test("P8: damage in two places of a commit costs nothing that lies between them", () => {
  const where = { segment: "00000000000000ab", offset: 4096, chain: 5 };
  const bytes = sealed([1, 2, 3, 4, 5].map((n) => ({ bytes: new Uint8Array([n]), count: n })), where, 0);
  bytes[commitHeaderBytes + recordHeaderBytes]! ^= 1;
  bytes[commitHeaderBytes + 3 * 24 + recordHeaderBytes]! ^= 1;
  assert.deepEqual(
    recordsOf(bytes, where)!.map(({ position, count, bytes }) => [position, count, bytes?.[0]]),
    [[0, 1, undefined], [1, 2, 2], [3, 3, 3], [6, 4, undefined], [10, 5, 5]],
  );
});

Deno.test("P5: of a damaged stretch no record is taken that lies outside its positions", () => {
  const where = { segment: "00000000000000ab", offset: 4096, chain: 5 };
  const bytes = sealed([1, 2, 3, 4].map((n) => ({ bytes: new Uint8Array([n]), count: 10 })), where, 100);
  const found = (first: number, count: number) => {
    const stretch = { first: first as Position, count };
    return salvageRecords(bytes.subarray(commitHeaderBytes), stretch, new Salt(where.segment), 4096 + commitHeaderBytes)
      .map(({ position, count, bytes }) => [position, count, bytes?.[0]]);
  };
  assert.deepEqual(found(100, 20), [[100, 10, 1], [110, 10, 2]]);
  assert.deepEqual(found(100, 25), [[100, 10, 1], [110, 10, 2], [120, 5, undefined]]);
  assert.deepEqual(found(105, 20), [[105, 5, undefined], [110, 10, 2], [120, 5, undefined]]);
  assert.deepEqual(found(200, 20), [[200, 20, undefined]]);
  assert.deepEqual(found(90, 5), [[90, 5, undefined]]);
});

Deno.test("positions are read right where their lower half begins anew", () => {
  const where = { segment: "00000000000000ab", offset: 4096, chain: 5 };
  const first = 3 * 2 ** 32 - 2;
  const bytes = sealed([1, 2, 3].map((n) => ({ bytes: new Uint8Array([n]), count: 2 })), where, first);
  bytes[commitHeaderBytes + recordHeaderBytes]! ^= 1;
  assert.deepEqual(recordsOf(bytes, where)!.map(({ position }) => position), [first, first + 2, first + 4]);
});

Deno.test("bytes made to look like endless records do not keep a salvage for long", () => {
  const bytes = new Uint8Array(4 << 20);
  new Uint32Array(bytes.buffer).fill(2 << 20);
  const begin = performance.now();
  salvageRecords(bytes, { first: 0 as Position, count: 2 ** 31 }, new Salt("00000000000000ab"), 4096);
  assert.ok(performance.now() - begin < 5000);
});

Deno.test("a segment's name says its base and its id, and no other name is taken for one", () => {
  fc.assert(fc.property(position, id, (base, segment) => {
    const name = segmentName(base, segment);
    assert.deepEqual(parseSegmentName(name), { base, segment });
    for (const other of [`${name}.del`, `x${name}`, name.replace(".seg", ".tmp"), name.toUpperCase(), name.slice(1)]) {
      assert.equal(parseSegmentName(other), undefined);
    }
  }));
});

Deno.test("segments sort by base as their names do", () => {
  const names = [9, 10, 99, 100, 2 ** 52].map((base) => segmentName(base, "00000000000000ab"));
  assert.deepEqual(names.toSorted(), names);
});

Deno.test("whole numbers up to 2^53 are kept", () => {
  const view = new DataView(new ArrayBuffer(8));
  fc.assert(fc.property(fc.maxSafeNat(), (value) => {
    putWhole(view, 0, value);
    assert.equal(getWhole(view, 0), value);
    assert.equal(view.getBigUint64(0, true), BigInt(value));
  }));
});

Deno.test("a random id has 16 hex digits and is never zero", () => {
  const random = chance(1);
  const ids = Array.from({ length: 1000 }, () => randomId(random));
  assert.ok(ids.every((id) => /^[0-9a-f]{16}$/.test(id)));
  assert.equal(new Set(ids).size, 1000);
  let calls = 0;
  assert.equal(randomId(() => calls++ < 4 ? 0 : 0.5), "8000800080008000");
});

Deno.test("limits and flags are what FORMAT.md says", () => {
  assert.deepEqual([commitBytesMax, entryBytesMax, payloadBytesMax], [8 << 20, 16 << 20, 25_165_824]);
  assert.equal(flagIdempotency, 1);
});

Deno.test("a salt is the checksum of all eight bytes of the offset, seeded with that of the segment's id", () => {
  for (const offset of [0, 8, 4096, 2 ** 32 - 8, 2 ** 32, 5 * 2 ** 32 + 16, 2 ** 52]) {
    const place = new Uint8Array(8);
    new DataView(place.buffer).setBigUint64(0, BigInt(offset), true);
    assert.equal(new Salt("0123456789abcdef").at(offset), crc32(place, crc32(bytesOfHex("0123456789abcdef"))));
  }
});

Deno.test("a segment's header begins with magic and versions, and without a segment before it ends in zeros", () => {
  const id = "00000000000000ab";
  const bytes = encodeSegmentHeader({ node: id, segment: id, base: 7 as Position, epoch: 1, sequence: 1, created: 5 });
  assert.equal(new TextDecoder().decode(bytes.subarray(0, 8)), "SPARKSEG");
  assert.deepEqual([...bytes.subarray(8, 12)], [1, 0, 1, 0]);
  assert.ok(bytes.subarray(56).every((byte) => byte === 0));
});

/** A segment's header in a block, with some of its bytes changed and the checksum made right again. */
function changed(at: number, ...values: readonly number[]): Uint8Array {
  const id = "00000000000000ab";
  const block = new Uint8Array(4096).fill(0xee);
  block.set(encodeSegmentHeader({ node: id, segment: id, base: 7 as Position, epoch: 1, sequence: 1, created: 5 }));
  block.set(values, at);
  const head = crc32(block.subarray(0, 12), new Salt(id).at(0));
  new DataView(block.buffer).setUint32(12, crc32(block.subarray(16, 128), head), true);
  return block;
}

Deno.test("P18: whose magic or id is another is no header, and whose reader is newer is told, though the checksum is right", () => {
  const decode = (bytes: Uint8Array) => decodeSegmentHeader(bytes, "00000000000000ab");
  assert.equal(typeof decode(changed(0)), "object", "what stands behind byte 128 is not looked at");
  assert.equal(decode(changed(0, 0x54)), "damaged");
  assert.equal(decode(changed(24, 1)), "damaged");
  assert.equal(decode(changed(10, 2)), "newer");
  assert.equal(typeof decode(changed(8, 2)), "object", "a later version that this one can read");
  for (const length of [0, 4, 12, 127]) assert.equal(decode(changed(0).subarray(0, length)), "damaged");
});

Deno.test("a sealed commit says its version, and nothing of what the buffer held before", () => {
  const salt = new Salt("00000000000000ab");
  const header = { length: 8, count: 1, first: 0 as Position, time: 1, epoch: 1, chain: 0, flags: 0 };
  const longer = new Uint8Array(commitHeaderBytes + 100).fill(0xff);
  sealCommit(longer, header, salt, 4096);
  assert.deepEqual([...longer.subarray(44, 48)], [0, 0, 1, 0]);
  const exact = new Uint8Array(commitHeaderBytes + 8).fill(0xff);
  sealCommit(exact, header, salt, 4096);
  assert.deepEqual(longer.subarray(0, exact.length), exact, "only its own records count");
});

Deno.test("P3: a record with any flipped bit is none, wherever it says that it belongs", () => {
  const salt = new Salt("00000000000000ab");
  const anywhere = { first: 0 as Position, count: 2 ** 32 };
  const bytes = new Uint8Array(24);
  putRecord(bytes, 0, new Uint8Array([1, 2, 3]), { first: 9 as Position, count: 1 });
  sealRecord(bytes, 0, salt, 4096);
  const read = () => salvageRecords(bytes, anywhere, salt, 4096).some((record) => record.bytes !== undefined);
  assert.ok(read());
  for (let bit = 0; bit < 19 * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.ok(!read(), `bit ${bit}`);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
});

Deno.test("a record of no bytes is read where nothing follows, and one of no messages never", () => {
  const salt = new Salt("00000000000000ab");
  const stretch = { first: 9 as Position, count: 1 };
  const found = (count: number) => {
    const bytes = new Uint8Array(16);
    putRecord(bytes, 0, new Uint8Array(0), { first: 9 as Position, count });
    sealRecord(bytes, 0, salt, 4096);
    return salvageRecords(bytes, stretch, salt, 4096).map(({ bytes, count }) => [bytes?.length, count]);
  };
  assert.deepEqual(found(1), [[0, 1]]);
  assert.deepEqual(found(0), [[undefined, 1]]);
});

Deno.test("P8: what is no record ends a commit whose checksum is right, and its positions are a hole", () => {
  const salt = new Salt("00000000000000ab");
  for (const [length, count] of [[16, 1], [2 ** 31, 1], [8, 0], [8, 2]]) {
    const bytes = new Uint8Array(commitHeaderBytes + 24);
    const view = new DataView(bytes.buffer);
    view.setUint32(commitHeaderBytes, length!, true);
    view.setUint32(commitHeaderBytes + 4, count!, true);
    sealCommit(bytes, { length: 24, count: 1, first: 0 as Position, ...stamp, chain: 0, flags: 0 }, salt, 4096);
    const hole = [{ position: 0, count: 1, bytes: undefined }];
    assert.deepEqual(recordsOf(bytes, { segment: "00000000000000ab", offset: 4096, chain: 0 }), hole);
  }
});

Deno.test("a search goes by so many false records as 16 times its bytes and 1 MiB cost, and by any number of zeros", () => {
  const salt = new Salt("00000000000000ab");
  const cost = 2048;
  const readsBehind = (falseOnes: number) => {
    const bytes = new Uint8Array(1 << 20);
    new Uint32Array(bytes.buffer).fill(cost, 0, 2 * falseOnes);
    const at = 8 * falseOnes + 8 * 3000;
    putRecord(bytes, at, new Uint8Array([1, 2, 3]), { first: 9 as Position, count: 1 });
    sealRecord(bytes, at, salt, 4096 + at);
    const stretch = { first: 0 as Position, count: 10_000 };
    return salvageRecords(bytes, stretch, salt, 4096).some((record) => record.bytes !== undefined);
  };
  const enough = 17 * (1 << 20) / cost;
  assert.deepEqual([readsBehind(enough - 1), readsBehind(enough)], [true, false]);
});

Deno.test("a random id keeps its length whatever chance says", () => {
  assert.equal(randomId(() => 1 - 2 ** -53), "f".repeat(16));
  assert.equal(randomId(() => 2 ** -16), "0001".repeat(4));
});
