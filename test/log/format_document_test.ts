import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import {
  commitBytesMax,
  commitHeaderBytes,
  entryBytesMax,
  firstCommitAt,
  formatVersion,
  payloadBytesMax,
  recordHeaderBytes,
  segmentHeaderBytes,
} from "../../src/log/format.ts";
import { slotPayloadMax } from "../../src/log/slots.ts";

const text = Deno.readTextFileSync(new URL("../../src/log/FORMAT.md", import.meta.url));
const slotHeadBytes = 4096 - slotPayloadMax;
const golden = new URL("../golden/log-v1/", import.meta.url);
const held = JSON.parse(Deno.readTextFileSync(new URL("../golden/log-v1.json", import.meta.url)));

interface Row {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}
type Table = ReadonlyMap<string, Row>;

/** The byte table under a heading. */
function rows(heading: string): Row[] {
  const section = text.split(/^#+ /m).find((section) => section.startsWith(`${heading}\n`))!;
  const found = [...section.matchAll(/^\| (\d+) \| (\d+) \| ([a-z ]+) \|/gm)];
  return found.map(([, offset, bytes, name]) => ({ name: name!, offset: Number(offset), bytes: Number(bytes) }));
}
function table(heading: string): Table {
  return new Map(rows(heading).map((row) => [row.name, row]));
}

/** Bytes as the tables in the document see them. */
class Seen {
  readonly #bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  from(offset: number): Seen {
    return new Seen(this.#bytes.subarray(offset));
  }
  bytes(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }
  field(table: Table, name: string): Uint8Array {
    const { offset, bytes } = table.get(name)!;
    return this.#bytes.subarray(offset, offset + bytes);
  }
  number(table: Table, name: string): number {
    return this.field(table, name).reduceRight((sum, byte) => sum * 256 + byte, 0);
  }
  hex(table: Table, name: string): string {
    return [...this.field(table, name)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

function goldenFile(path: string): Seen {
  return new Seen(Deno.readFileSync(new URL(path, golden)));
}
function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g)!, (byte) => parseInt(byte, 16));
}
function salt(segment: string, offset: number): number {
  const place = new Uint8Array(8);
  new DataView(place.buffer).setBigUint64(0, BigInt(offset), true);
  return crc32(place, crc32(bytesOfHex(segment)));
}

const segmentHeader = table("Segment header");
const commit = table("Commit");
const record = table("Record");
const slot = table("Slots");
const cursor = table("Cursor");
const mark = table("Mark");

Deno.test("the tables of FORMAT.md have no gaps and end where the code says", () => {
  const ends = {
    "Segment header": segmentHeaderBytes,
    Commit: commitHeaderBytes,
    Record: recordHeaderBytes,
    Slots: slotHeadBytes,
    Cursor: 120,
    Mark: 32,
  };
  for (const [heading, end] of Object.entries(ends)) {
    let next = 0;
    for (const { offset, bytes, name } of rows(heading)) {
      assert.equal(offset, next, `${heading}: ${name}`);
      next = offset + bytes;
    }
    assert.equal(next, end, heading);
  }
});

Deno.test("the limits in FORMAT.md are those of the code", () => {
  assert.match(text, new RegExp(`format version ${formatVersion}\n`));
  assert.match(text, new RegExp(`commits from byte ${firstCommitAt} on`));
  assert.match(text, new RegExp(`at most ${payloadBytesMax}, else it is no commit`));
  assert.match(
    text,
    new RegExp(`at most ${commitBytesMax >> 20} MiB, or one entry of at most ${entryBytesMax >> 20} MiB`),
  );
  assert.match(text, new RegExp(`bytes of the payload, at most ${slotPayloadMax}`));
});

Deno.test("the golden segments are what FORMAT.md says, read with nothing else", () => {
  const entries: unknown[] = [];
  const segments = held.segments.map(({ name }: { name: string }) => ({ name, seen: goldenFile(`log/${name}`) }));
  segments.forEach(({ name, seen }: { name: string; seen: Seen }, i: number) => {
    const id = name.slice(21, 37);
    checkHeader(seen, id, Number(name.slice(0, 20)));
    const next = segments[i + 1]?.seen as Seen | undefined;
    const end = next ? next.number(segmentHeader, "previous length") : held.mark.offset;
    const chain = next ? next.number(segmentHeader, "previous chain") : held.mark.chain;
    if (next) assert.equal(next.hex(segmentHeader, "previous"), id);
    assert.equal(readCommits(seen, id, end, entries), chain);
  });
  const known = held.entries.map((entry: { bytes: string }) => ({ ...entry, bytes: atob(entry.bytes).length }));
  assert.deepEqual(entries, known);
});

function checkHeader(seen: Seen, id: string, base: number): void {
  assert.equal(new TextDecoder().decode(seen.field(segmentHeader, "magic")), "SPARKSEG");
  assert.deepEqual([seen.number(segmentHeader, "version"), seen.number(segmentHeader, "reader")], [1, 1]);
  assert.deepEqual([seen.hex(segmentHeader, "node"), seen.hex(segmentHeader, "segment")], [held.node, id]);
  assert.equal(seen.number(segmentHeader, "base"), base);
  const crc = crc32(seen.bytes(16, 128), crc32(seen.bytes(0, 12), salt(id, 0)));
  assert.equal(seen.number(segmentHeader, "crc"), crc);
}

/** Reads commits up to `end`; returns the last one's checksum. */
function readCommits(segment: Seen, id: string, end: number, entries: unknown[]): number {
  let chain = segment.number(segmentHeader, "crc");
  for (let at = 4096; at < end;) {
    const seen = segment.from(at);
    const length = seen.number(commit, "length");
    assert.equal(new TextDecoder().decode(seen.field(commit, "magic")), "SCM|");
    assert.equal(seen.number(commit, "chain"), chain);
    chain = crc32(seen.bytes(8, 48), salt(id, at));
    assert.equal(seen.number(commit, "crc"), chain);
    assert.equal(seen.number(commit, "payload crc"), crc32(seen.bytes(48, 48 + length), salt(id, at)));
    assert.equal(seen.number(commit, "version"), 1);
    readRecords(seen, { id, at: at + 48, length }, entries);
    at += 48 + length;
  }
  return chain;
}

function readRecords(
  inCommit: Seen,
  { id, at, length }: { id: string; at: number; length: number },
  entries: unknown[],
) {
  let messages = 0;
  for (let inside = 0; inside < length;) {
    const seen = inCommit.from(48 + inside);
    const [bytes, count] = [seen.number(record, "length"), seen.number(record, "count")];
    const position = inCommit.number(commit, "first") + messages;
    assert.equal(seen.number(record, "position"), position);
    const crc = crc32(seen.bytes(16, 16 + bytes), crc32(seen.bytes(0, 12), salt(id, at + inside)));
    assert.equal(seen.number(record, "crc"), crc);
    const [epoch, time] = [inCommit.number(commit, "epoch"), inCommit.number(commit, "time")];
    entries.push({ position, count, epoch, time, bytes });
    messages += count;
    inside += Math.ceil((16 + bytes) / 8) * 8;
  }
  assert.equal(messages, inCommit.number(commit, "count"));
}

/** The payload of the slot that counts. */
function latest(file: Seen, name: string): Seen {
  const slots = [0, 1].map((index) => ({ index, seen: file.from(4096 * index) }));
  const valid = slots.filter(({ index, seen }) => {
    return seen.number(slot, "crc") === crc32(seen.bytes(8, 4096), crc32(name, index)) &&
      seen.number(slot, "turn") % 2 === index;
  });
  const [first] = valid.sort((a, b) => b.seen.number(slot, "turn") - a.seen.number(slot, "turn"));
  assert.equal(new TextDecoder().decode(first!.seen.field(slot, "magic")), "SLOT");
  return first!.seen.from(20);
}

Deno.test("the golden cursor is what FORMAT.md says, read with nothing else", () => {
  const seen = latest(goldenFile("cursors/out"), "out");
  const { counts, position, start, generation } = held.cursors.out;
  assert.deepEqual([seen.number(cursor, "version"), seen.hex(cursor, "node")], [1, held.node]);
  const numbers = ["generation", "start", "position", "flags"].map((name) => seen.number(cursor, name));
  assert.deepEqual(numbers, [generation, start, position, 0]);
  for (const [verdict, count] of Object.entries(counts)) assert.equal(seen.number(cursor, verdict), count, verdict);
});

Deno.test("the golden mark is what FORMAT.md says, read with nothing else", () => {
  const seen = latest(goldenFile("mark"), "mark");
  assert.equal(seen.hex(mark, "segment"), held.mark.segment);
  for (const name of ["position", "offset", "chain"]) assert.equal(seen.number(mark, name), held.mark[name], name);
  assert.equal(seen.number(mark, "destinations"), 1);
  const [[key, position]] = Object.entries(held.mark.destinations) as [[string, number]];
  const follows = [{ name: "key", offset: 32, bytes: 8 }, { name: "position", offset: 40, bytes: 8 }];
  const row = new Map(follows.map((row) => [row.name, row]));
  assert.deepEqual([seen.hex(row, "key"), seen.number(row, "position")], [key, position]);
});

Deno.test("the golden small numbers are what FORMAT.md says", () => {
  for (const [name, value] of [["node", held.node], ["epoch", String(held.epoch)], ["low", String(held.low)]]) {
    const check = crc32(value, crc32(name)).toString(16).padStart(8, "0");
    assert.equal(Deno.readTextFileSync(new URL(name, golden)), `${value} ${check}\n`);
  }
});
