/** Reads batches of records by the client's own reader, which shares no code with what wrote them. */
import { Buffer } from "node:buffer";
import { compressionsAlgorithms, crc32c, jsCRC32C, Reader, readRecordsBatch } from "@platformatic/kafka";
import assert from "node:assert";
import type { Packing, RecordBatch, Stamp } from "../../../adaptors/kafka/records.ts";

export type Compression = keyof typeof compressionsAlgorithms;

export const stamp: Stamp = { producerId: 9007199254740993n, epoch: 3, sequence: 2147483000 };

export function packing(name: Compression = "none"): Packing {
  const { bitmask: compression, compressSync } = compressionsAlgorithms[name];
  return { compression, compress: (bytes) => compressSync(Buffer.from(bytes)), checksum: (bytes) => crc32c(bytes) };
}

export async function readBatch(batch: RecordBatch, name?: Compression) {
  const bytes = Buffer.from(await batch.seal(stamp, packing(name)));
  assert.equal(bytes.readUInt32BE(17), jsCRC32C(bytes.subarray(21)));
  const { firstTimestamp, records, ...head } = readRecordsBatch(Reader.from(bytes));
  return {
    ...head,
    firstTimestamp,
    bytes,
    records: records.map(({ key, value, headers, timestampDelta, offsetDelta, length }) => ({
      ...{ key: key ?? undefined, value, offsetDelta, length: Number(length) },
      timestamp: Number(firstTimestamp + timestampDelta),
      headers: (headers as [Buffer, Buffer][]).map(([name, value]) => [String(name), String(value)]),
    })),
  };
}
