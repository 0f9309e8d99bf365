import assert from "node:assert";
import { Buffer } from "node:buffer";
import { compatibilityPartitioner } from "@platformatic/kafka";
import { type Group, murmur2, partitionOf, requests } from "../../../adaptors/kafka/partition.ts";
import { batchHeadBytes } from "../../../adaptors/kafka/records.ts";
import { Addresses } from "../../../adaptors/kafka/wire.ts";
import type { Delivery } from "../../../src/deliver/adaptor.ts";
import { delivery } from "./delivery.ts";

Deno.test("murmur2 gives what the tests of Kafka's Java client expect", () => {
  const expected: Record<string, number> = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
  };
  for (const [text, hash] of Object.entries(expected)) assert.equal(murmur2(Buffer.from(text)), hash, text);
});

Deno.test("partitions are those of the client's Java-compatible partitioner", () => {
  for (let i = 0; i < 600; i++) {
    const key = Buffer.from(crypto.getRandomValues(new Uint8Array(i % 41)));
    assert.equal(partitionOf(key, 12), compatibilityPartitioner({} as never, key) % 12);
  }
});

const limits = { groupBytes: 1000, requestBytes: 2500 };

Deno.test("each partition's messages stay in order across requests within the limits", () => {
  const made = [...cut(60, (i) => ({ key: `k${i % 6}`, body: Array(i * 7 % 200).fill(1) }), 3)];
  assert.ok(made.length > 1);
  const flat = made.flat();
  for (const { records } of flat) assert.ok(records.bytes <= 1000);
  for (const groups of made) {
    assert.equal(new Set(groups.map(({ partition }) => partition)).size, groups.length);
    assert.ok(groups.reduce((bytes, { records }) => bytes + records.bytes - batchHeadBytes, 0) <= 2500);
  }
  for (const partition of [0, 1, 2]) {
    const numbers = flat.filter((group) => group.partition === partition).flatMap(numbersOf);
    assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
  }
  assert.equal(flat.flatMap(numbersOf).length, 60);
});

Deno.test("P6: without a key runs of 64 take turns by position, so that a repeat goes where it went before", () => {
  const whole = partitionsOf(cut(300, () => ({}), 3));
  assert.deepEqual([0, 63, 64, 128, 191, 192, 299].map((position) => whole.get(position)), [0, 0, 1, 2, 2, 0, 1]);
  const again = partitionsOf(requests(range(100, 300), layout(3)));
  for (const [position, partition] of again) assert.equal(partition, whole.get(position));
});

Deno.test("P6: without a key what does not fit its partition's group waits for the next request, in order", () => {
  const made = [...cut(14, () => ({ body: Array(100).fill(1) }), 4)];
  assert.ok(made.length > 1);
  assert.deepEqual(made.flat().flatMap(numbersOf), Array.from({ length: 14 }, (_, i) => i));
});

Deno.test("a message larger than a group may be is in no request, wherever it stands", () => {
  for (const large of [0, 1, 2]) {
    const refused: number[] = [];
    const made = [...cut(3, (i) => ({ key: "k", body: Array(i === large ? 5000 : 1).fill(1) }), 1, refused)];
    assert.deepEqual(made.flat().flatMap(numbersOf), [0, 1, 2].filter((i) => i !== large));
    assert.deepEqual(refused, [large]);
    assert.ok(made.every((groups) => groups.length > 0));
  }
});

function* cut(
  count: number,
  vary: (i: number) => Parameters<typeof delivery>[1],
  partitions: number,
  refused: number[] = [],
): Generator<Group[]> {
  yield* requests(range(0, count, vary), layout(partitions, refused));
}

function layout(partitions: number, refused: number[] = []) {
  const addresses = new Addresses({ topicOf: () => "t", keyOf: ({ key }) => key });
  return {
    addressOf: (delivery: Delivery) => addresses.of(delivery),
    partitions: new Map([["t", partitions]]),
    extras: { headers: "none" as const, contentTypeOf: () => "" },
    limits,
    refuse: ({ position }: Delivery) => void refused.push(position),
  };
}

function range(from: number, to: number, vary: Parameters<typeof cut>[1] = () => ({})): Delivery[] {
  return Array.from({ length: to - from }, (_, i) => delivery(from + i, vary(from + i)));
}

function partitionsOf(made: Iterable<Group[]>): Map<number, number> {
  return new Map([...made].flat().flatMap((group) => numbersOf(group).map((position) => [position, group.partition])));
}

function numbersOf({ deliveries }: Group): number[] {
  return deliveries.map(({ position }) => position);
}
