/** What brokers answer, and what it means for messages; and how to read the client's nested errors. Pure. */
import { groupName } from "./partition.ts";

/** What was said of one group of a request. */
export interface Answer {
  /** Kafka's error code, 0 when taken. */
  readonly code: number;
  readonly text: string;
  /** Where the first message of the group is. */
  readonly offset?: bigint;
  /** The places in the group of the messages that are at fault, where the broker tells. */
  readonly faults: readonly number[];
}
/** By the group's name. A group that is missing may have been taken or not. */
export type Answers = ReadonlyMap<string, Answer>;

/**
 * taken; bad: a message of the group will never be taken; held: not now, or not in this topic; lost: the client's state is
 * no longer the broker's.
 */
export type Meaning = "taken" | "bad" | "held" | "lost";

export function meaningOf({ code }: Answer): Meaning {
  return meanings.get(code) ?? "held";
}

const meanings = new Map<number, Meaning>([
  [0, "taken"], // NONE
  [46, "taken"], // DUPLICATE_SEQUENCE_NUMBER: a repeat of what the broker has
  [10, "bad"], // MESSAGE_TOO_LARGE
  [18, "bad"], // RECORD_LIST_TOO_LARGE
  [32, "bad"], // INVALID_TIMESTAMP
  [87, "bad"], // INVALID_RECORD: e.g. no key, for a compacted topic
  [45, "lost"], // OUT_OF_ORDER_SEQUENCE_NUMBER
  [47, "lost"], // INVALID_PRODUCER_EPOCH
  [49, "lost"], // INVALID_PRODUCER_ID_MAPPING
  [59, "lost"], // UNKNOWN_PRODUCER_ID
  [90, "lost"], // PRODUCER_FENCED
]);

/** Whether the same request may well be taken soon, by this broker or by whoever leads the partition then. */
export function isPassing({ code }: Answer): boolean {
  return passing.has(code);
}

const passing = new Set([
  2, // CORRUPT_MESSAGE: on the way
  3, // UNKNOWN_TOPIC_OR_PARTITION: a broker that does not know of it yet, or no more
  5, // LEADER_NOT_AVAILABLE
  6, // NOT_LEADER_OR_FOLLOWER
  7, // REQUEST_TIMED_OUT
  8, // BROKER_NOT_AVAILABLE
  9, // REPLICA_NOT_AVAILABLE
  13, // NETWORK_EXCEPTION
  19, // NOT_ENOUGH_REPLICAS
  20, // NOT_ENOUGH_REPLICAS_AFTER_APPEND
  56, // KAFKA_STORAGE_ERROR
  74, // FENCED_LEADER_EPOCH
  75, // UNKNOWN_LEADER_EPOCH
  89, // THROTTLING_QUOTA_EXCEEDED
]);

/** The parts of the client's errors that are read here; it says none of this in its types. */
export interface ClientProblem {
  readonly message?: string;
  readonly code?: string;
  readonly apiCode?: number;
  readonly apiId?: string;
  readonly canRetry?: boolean;
  readonly serverErrorMessage?: string | null;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
}

/** What a broker answers to a Produce request, of all versions that have it. */
export interface ProduceAnswer {
  readonly responses: readonly {
    readonly name: string;
    readonly partitionResponses: readonly {
      readonly index: number;
      readonly errorCode: number;
      readonly baseOffset: bigint;
      readonly errorMessage?: string | null;
      readonly recordErrors?: readonly {
        readonly batchIndex: number;
        readonly batchIndexErrorMessage?: string | null;
      }[];
    }[];
  }[];
  readonly throttleTimeMs: number;
}

/** `explain` says what a code means where the broker does not. */
export function answersIn({ responses }: ProduceAnswer, explain: (code: number) => string): Map<string, Answer> {
  const answers = new Map<string, Answer>();
  for (const { name, partitionResponses } of responses) {
    for (const { index, errorCode: code, baseOffset, errorMessage, recordErrors = [] } of partitionResponses) {
      const said = recordErrors.find((fault) => fault.batchIndexErrorMessage)?.batchIndexErrorMessage ?? errorMessage;
      answers.set(groupName(name, index), {
        code,
        text: code === 0 ? "" : said ?? explain(code),
        // Of a repeat that it has already a broker may not know the place.
        ...(code === 0 && baseOffset >= 0n && { offset: baseOffset }),
        faults: recordErrors.map(({ batchIndex }) => batchIndex),
      });
    }
  }
  return answers;
}

/** The error itself and everything in it, from the outside in. */
export function* everyError(problem: unknown, depth = 0): Generator<ClientProblem> {
  if (typeof problem !== "object" || problem === null || depth > 20) return;
  const error = problem as ClientProblem;
  yield error;
  for (const inner of error.errors ?? []) yield* everyError(inner, depth + 1);
  yield* everyError(error.cause, depth + 1);
}
