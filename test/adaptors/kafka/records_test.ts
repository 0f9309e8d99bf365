/** Batches of records, read by the client's own reader. That brokers and librdkafka read them is seen in kafka_test.ts. */
import assert from "node:assert";
import { Buffer } from "node:buffer";
import { batchHeadBytes, RecordBatch } from "../../../adaptors/kafka/records.ts";
import { chance, pick } from "../../sim/chance.ts";
import { type Compression, packing, readBatch, stamp } from "./reading.ts";

interface Given {
  readonly timestamp: number;
  readonly key: Uint8Array | undefined;
  readonly value: Uint8Array;
  readonly headers: readonly (readonly [string, string])[];
}

function add(batch: RecordBatch, { timestamp, key, value, headers }: Given): number {
  batch.begin(timestamp, key, value, headers.length);
  for (const [name, text] of headers) batch.header(Buffer.from(name), text);
  return batch.end();
}

/** Lengths around those at which the numbers that say them get longer. */
const lengths = [0, 1, 60, 63, 64, 65, 127, 128, 8100, 8191, 8192, 70_000];
const letters = ["a", "~", "\0", "ü", "€", "😀"];

function anything(random: () => number): Given {
  const of = <T>(values: readonly T[]) => values[pick(random, values.length)]!;
  const bytes = (length: number) => Uint8Array.from({ length }, () => pick(random, 256));
  const text = () => of(letters).repeat(of([0, 1, 20, 63, 64, 65, 300]));
  return {
    timestamp: 1_700_000_000_000 + of([0, 1, -1, 5000, 2 ** 30, -(2 ** 31), 2 ** 40, -(2 ** 40)]),
    key: of([undefined, new Uint8Array(), bytes(9), bytes(100)]),
    value: bytes(of(lengths)),
    headers: Array.from({ length: pick(random, 4) }, () => [text(), text()] as const),
  };
}

for (const compression of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
  Deno.test(`batches of anything are read as they were written: ${compression}`, async () => {
    for (let seed = 0; seed < (compression === "none" ? 200 : 20); seed++) await writeAndRead(seed, compression);
  });
}

async function writeAndRead(seed: number, compression: Compression): Promise<void> {
  const random = chance(seed);
  const given = Array.from({ length: 1 + pick(random, 12) }, () => anything(random));
  const batch = new RecordBatch();
  let bytes = batchHeadBytes;
  for (const record of given) {
    bytes += add(batch, record);
    if (random() < 0.3) {
      add(batch, anything(random));
      batch.takeBack();
    }
    assert.equal(batch.bytes, bytes, `seed ${seed}`);
  }
  const read = await readBatch(batch, compression);
  assert.equal(read.length, read.bytes.length - 12);
  if (compression === "none") assert.equal(read.bytes.length, bytes);
  const timestamps = given.map(({ timestamp }) => timestamp);
  const { magic, attributes, lastOffsetDelta, firstTimestamp, maxTimestamp, producerId, producerEpoch, firstSequence } =
    read;
  assert.deepEqual(
    [magic, attributes, lastOffsetDelta, Number(firstTimestamp), Number(maxTimestamp)],
    [2, packing(compression).compression, given.length - 1, timestamps[0], Math.max(...timestamps)],
    `seed ${seed}`,
  );
  assert.deepEqual({ producerId, epoch: producerEpoch, sequence: firstSequence }, stamp);
  for (const [i, { key, value, headers, timestamp, offsetDelta }] of read.records.entries()) {
    const { key: expectedKey, value: expected } = given[i]!;
    assert.equal(Buffer.compare(value ?? Buffer.alloc(0), expected), 0, `seed ${seed}`);
    assert.deepEqual([key && [...key], headers], [expectedKey && [...expectedKey], given[i]!.headers], `seed ${seed}`);
    assert.deepEqual([timestamp, offsetDelta], [given[i]!.timestamp, i], `seed ${seed}`);
  }
}

Deno.test("sealed again, only the stamp differs, and the checksum", async () => {
  const batch = new RecordBatch();
  for (let n = 0; n < 3; n++) add(batch, anything(chance(n)));
  for (const compression of ["none", "gzip"] as const) {
    const first = Buffer.from(await batch.seal(stamp, packing(compression)));
    const second = Buffer.from(await batch.seal({ producerId: 1n, epoch: 0, sequence: 0 }, packing(compression)));
    assert.deepEqual([second.readBigInt64BE(43), second.readInt16BE(51), second.readInt32BE(53)], [1n, 0, 0]);
    for (const bytes of [first, second]) bytes.fill(0, 17, 21).fill(0, 43, 57);
    assert.ok(first.equals(second));
  }
});
