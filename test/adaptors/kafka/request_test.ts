import assert from "node:assert";
import { Buffer } from "node:buffer";
import * as kafka from "@platformatic/kafka";
import { ProduceRequest } from "../../../adaptors/kafka/request.ts";

/** What a connection is given to send; it answers with these bytes. */
class Recorder {
  readonly sent: { version: number; payload: Buffer; flexible: boolean }[] = [];
  answer: Buffer = Buffer.alloc(0);

  send(...given: Parameters<kafka.Connection["send"]>): void {
    const [key, version, createPayload, parse, flexible, flexibleAnswer, callback] = given;
    assert.deepEqual([key, flexible], [0, flexibleAnswer]);
    this.sent.push({ version, payload: (createPayload() as kafka.Writer).buffer, flexible });
    try {
      callback(null, parse(1, key, version, kafka.Reader.from(this.answer)));
    } catch (problem) {
      callback(problem as Error);
    }
  }
  get connection(): kafka.Connection {
    return this as unknown as kafka.Connection;
  }
}

const produce = (maxVersion: number, minVersion = 0) => [{ name: "Produce", minVersion, maxVersion }];
const options = { producerId: 7n, producerEpoch: 1 };

/** Two partitions of one topic, one of another. */
const messages = [["a", 0], ["a", 2], ["b", 1]].map(([topic, partition]) => ({
  ...{ topic: topic as string, partition: partition as number, timestamp: 1000n },
  value: Buffer.alloc(200, topic as string),
}));

const known = [
  ...[kafka.produceV3, kafka.produceV4, kafka.produceV5, kafka.produceV6, kafka.produceV7, kafka.produceV8],
  ...[kafka.produceV9, kafka.produceV10, kafka.produceV11],
];

Deno.test("of every version the request is, byte for byte, the one that the client makes of the same batches", async () => {
  for (const { api: { version }, createRequest } of known) {
    const recorder = new Recorder();
    const batches = messages.map(({ topic, partition, ...message }) => {
      const batch = kafka.createRecordsBatch([{ topic, partition, ...message, headers: new Map() }], options);
      return { topic, partition, bytes: batch.buffer };
    });
    const request = new ProduceRequest(kafka, produce(version));
    await request.send(recorder.connection, batches, 1234).catch(() => {});
    const [sent] = recorder.sent;
    const expected = createRequest(-1, 1234, messages.map((message) => ({ ...message, headers: new Map() })), options);
    assert.deepEqual([sent!.version, sent!.flexible], [version, version >= 9]);
    assert.ok(sent!.payload.equals(expected.buffer), `version ${version}`);
  }
});

Deno.test("the newest version is spoken that both sides know; brokers without one are told so", () => {
  const versionOf = (max: number, min?: number) => {
    const recorder = new Recorder();
    new ProduceRequest(kafka, produce(max, min)).send(recorder.connection, [], 1).catch(() => {});
    return recorder.sent[0]!.version;
  };
  assert.deepEqual([versionOf(13, 3), versionOf(11, 3), versionOf(8)], [11, 11, 8]);
  assert.throws(() => new ProduceRequest(kafka, produce(20, 12)), /the brokers take versions 12 to 20 of Produce/);
  assert.throws(() => new ProduceRequest(kafka, []), /versions none of Produce/);
});

Deno.test("a refusal is an answer; bytes that are none are an error", async () => {
  const recorder = new Recorder();
  const request = new ProduceRequest(kafka, produce(8));
  const writer = kafka.Writer.create().appendArray(
    [3, 0],
    (writer, partition) => {
      writer.appendString("t", false).appendArray(
        [partition],
        (writer) => {
          writer.appendInt32(partition).appendInt16(partition === 0 ? 0 : 10).appendInt64(5n).appendInt64(-1n)
            .appendInt64(0n);
          writer.appendInt32(0).appendInt16(-1);
        },
        false,
        false,
      );
    },
    false,
    false,
  ).appendInt32(1500);
  recorder.answer = writer.buffer;
  const { responses, throttleTimeMs } = await request.send(recorder.connection, [], 1);
  assert.equal(throttleTimeMs, 1500);
  assert.deepEqual(responses.map(({ partitionResponses: [at] }) => [at!.index, at!.errorCode]), [[3, 10], [0, 0]]);
  recorder.answer = writer.buffer.subarray(0, 12);
  await assert.rejects(request.send(recorder.connection, [], 1));
});
