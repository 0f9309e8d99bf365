/** The Produce request, in the newest form that both sides know: its frame by the client's writer, the batches as they are. */
import { Buffer } from "node:buffer";
import type { Connection } from "@platformatic/kafka";
import type { ProduceAnswer } from "./answer.ts";

type Kafka = typeof import("@platformatic/kafka");
type Parse = Kafka["produceV11"]["parseResponse"];

/** What the brokers say they understand. */
export interface Versions {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
}
/** A batch of records for a partition. */
export interface Sealed {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Uint8Array;
}

const produceKey = 0;
const allReplicas = -1;
/** From here on lengths are varints, and tagged fields may follow everything. */
const firstFlexible = 9;

export class ProduceRequest {
  readonly #kafka: Kafka;
  readonly #version: number;
  readonly #parse: Parse;

  constructor(kafka: Kafka, apis: readonly Versions[]) {
    this.#kafka = kafka;
    const known = [
      ...[kafka.produceV3, kafka.produceV4, kafka.produceV5, kafka.produceV6, kafka.produceV7, kafka.produceV8],
      ...[kafka.produceV9, kafka.produceV10, kafka.produceV11],
    ];
    const spoken = apis.find(({ name }) => name === "Produce");
    const newest = known.findLast(({ api: { version } }) =>
      spoken !== undefined && version >= spoken.minVersion && version <= spoken.maxVersion
    );
    if (!newest) {
      const range = spoken ? `${spoken.minVersion} to ${spoken.maxVersion}` : "none";
      throw new Error(
        `Cannot send to Kafka: the brokers take versions ${range} of Produce, and 3 to 11 are known here`,
      );
    }
    this.#version = newest.api.version;
    this.#parse = newest.parseResponse as Parse;
  }

  /** Acknowledged by all replicas in sync, or refused, within so many ms at the broker. */
  send(connection: Connection, batches: readonly Sealed[], timeoutMs: number): Promise<ProduceAnswer> {
    const { ResponseError } = this.#kafka;
    const flexible = this.#version >= firstFlexible;
    const payload = this.#payload(batches, timeoutMs, flexible);
    const parse: Parse = (...given) => {
      try {
        return this.#parse(...given);
      } catch (problem) {
        // What is refused is an answer, too.
        if (problem instanceof ResponseError && isAnswer(problem)) return problem.response;
        throw problem;
      }
    };
    return new Promise((resolve, reject) =>
      connection.send(produceKey, this.#version, () => payload, parse, flexible, flexible, (problem, answer) => {
        if (problem) reject(problem);
        else resolve(answer!);
      })
    );
  }

  #payload(batches: readonly Sealed[], timeoutMs: number, flexible: boolean) {
    const topics = [...Map.groupBy(batches, ({ topic }) => topic)];
    const writer = this.#kafka.Writer.create()
      .appendString(null, flexible)
      .appendInt16(allReplicas)
      .appendInt32(timeoutMs)
      .appendArray(
        topics,
        (writer, [topic, partitions]) => {
          writer.appendString(topic, flexible).appendArray(
            partitions,
            (writer, { partition, bytes }) => {
              writer.appendInt32(partition);
              if (flexible) writer.appendUnsignedVarInt(bytes.length + 1);
              else writer.appendInt32(bytes.length);
              writer.append(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
            },
            flexible,
            flexible,
          );
        },
        flexible,
        flexible,
      );
    return flexible ? writer.appendTaggedFields() : writer;
  }
}

type Answered = { readonly response: ReturnType<Parse> };

function isAnswer(problem: object): problem is Answered {
  return "response" in problem && problem.response !== undefined;
}
