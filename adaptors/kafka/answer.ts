/** What brokers answer, read from the client's results and its nested errors, and what it means for messages. Pure. */
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

/** The parts of the client's errors that are read here; it says none of this in its types. */
export interface ClientProblem {
  readonly message?: string;
  readonly code?: string;
  readonly apiCode?: number;
  readonly apiId?: string;
  readonly serverErrorMessage?: string | null;
  readonly cause?: unknown;
  readonly errors?: readonly unknown[];
  readonly response?: { readonly responses?: readonly TopicResponse[] };
  readonly produced?: Produced;
}
export interface Produced {
  readonly offsets?: readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[];
}
interface TopicResponse {
  readonly name: string;
  readonly partitionResponses: readonly {
    readonly index: number;
    readonly errorCode: number;
    readonly baseOffset: bigint;
    readonly errorMessage?: string | null;
    readonly recordErrors?: readonly { readonly batchIndex: number; readonly batchIndexErrorMessage?: string | null }[];
  }[];
}

export function takenAnswers({ offsets = [] }: Produced): Map<string, Answer> {
  return new Map(
    offsets.map(({ topic, partition, offset }) => [
      groupName(topic, partition),
      { code: 0, text: "", offset, faults: [] },
    ]),
  );
}

/** What a failed request says of its groups: a later attempt's word stands above an earlier one's, but what is taken is taken. */
export function answersIn(problem: unknown): Map<string, Answer> {
  const answers = new Map<string, Answer>();
  for (const error of everyError(problem)) {
    for (const [name, answer] of takenAnswers(error.produced ?? {})) note(answers, name, answer);
    for (const topic of error.response?.responses ?? []) readTopic(topic, error, answers);
  }
  return answers;
}

/** The error itself and everything in it, in the order of the attempts. */
export function* everyError(problem: unknown, depth = 0): Generator<ClientProblem> {
  if (typeof problem !== "object" || problem === null || depth > 20) return;
  const error = problem as ClientProblem;
  yield error;
  for (const inner of error.errors ?? []) yield* everyError(inner, depth + 1);
  yield* everyError(error.cause, depth + 1);
}

function note(answers: Map<string, Answer>, name: string, answer: Answer): void {
  const before = answers.get(name);
  if (before === undefined || meaningOf(before) !== "taken") answers.set(name, answer);
}

function readTopic(topic: TopicResponse, error: ClientProblem, answers: Map<string, Answer>): void {
  for (const { index, errorCode, baseOffset, errorMessage, recordErrors = [] } of topic.partitionResponses) {
    const said = recordErrors.find((fault) => fault.batchIndexErrorMessage)?.batchIndexErrorMessage ?? errorMessage;
    note(answers, groupName(topic.name, index), {
      code: errorCode,
      text: said ?? meaningText(error, errorCode),
      offset: errorCode === 0 ? baseOffset : undefined,
      faults: recordErrors.map((fault) => fault.batchIndex),
    });
  }
}

function meaningText(error: ClientProblem, errorCode: number): string {
  for (const inner of everyError(error)) {
    if (inner.apiCode === errorCode && inner.message) return inner.message;
  }
  return `error ${errorCode}`;
}
