/** Sends to real brokers through the adaptor, and says what of it is there. */
import assert from "node:assert";
import kafkaAdaptor from "../../../adaptors/kafka/mod.ts";
import { defaults, type Options } from "../../../src/config/options.ts";
import type { Adaptor, Delivery, Result } from "../../../src/deliver/adaptor.ts";
import type { Position } from "../../../src/log/mod.ts";
import { realWorld } from "../../../src/os/deno.ts";
import type { Received } from "../../services/kafka.ts";

export type KafkaOptions = Options<typeof kafkaAdaptor.options>;

/** Messages are of now: Kafka forgets the producer of records that look older than a day, and with it what is a repeat. */
const started = Date.now();
export const world = realWorld();

export interface Opening {
  readonly notices?: string[];
  readonly signal?: AbortSignal;
}

export async function open(
  options: Partial<KafkaOptions> & Pick<KafkaOptions, "brokers">,
  { notices = [], signal = new AbortController().signal }: Opening = {},
): Promise<Adaptor> {
  const place = {
    ...{ destination: "bus", dir: "/nonexistent", world, position: 0 as Position, generation: 1, format: "raw" },
    notice: (text: string) => void notices.push(text),
  };
  const given = { ...defaults(kafkaAdaptor.options), ...options };
  return await kafkaAdaptor.open(given, place, signal);
}

export function send(adaptor: Adaptor, batch: readonly Delivery[]): Promise<Result> {
  return adaptor.send(batch, new AbortController().signal);
}

export interface Varied {
  readonly topic?: string;
  readonly key?: string;
  readonly body?: Uint8Array;
}

export function numbered(
  count: number,
  topic: string,
  vary: (i: number) => Varied = () => ({}),
  first = 0,
): Delivery[] {
  return Array.from({ length: count }, (_, i) => {
    const given = vary(first + i);
    const data = new TextEncoder().encode(`{"n":${first + i}}`);
    return {
      id: `9f3c01aa27de4410-1-${first + i}`,
      position: first + i as Position,
      body: given.body ?? data,
      message: {
        ...{ topic: given.topic ?? topic, key: given.key, timestamp: started + i, data, dataIsJson: true },
        ...{ env: "prod", version: "1.0", type: "click", level: "info", ip: "10.0.0.1", peerIp: "10.0.0.2" },
        ...{ referrer: "http://x.example/ä", userAgent: "curl/8", submittedTimestamp: "2026-01-02T03:04:05Z" },
      },
    };
  });
}

export function byId(received: readonly Received[]): Map<string, Received> {
  return new Map(received.map((message) => [message.headers.get("id")!, message]));
}

export function numberOf({ headers }: Received): number {
  return Number(headers.get("id")!.split("-")[2]);
}

export function firsts(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}

export function assertAscending(numbers: readonly number[]): void {
  assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b));
}

export function assertTaken({ refused, again, trouble }: Result): void {
  assert.deepEqual({ refused, again, trouble }, { refused: [], again: [], trouble: undefined });
}
