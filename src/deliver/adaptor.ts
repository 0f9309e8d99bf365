/**
 * The contract between the pump and what speaks a destination's protocol. Retry, pauses, batching, order, cursors and dead
 * letters are the pump's; an adaptor only turns batches into its protocol's bytes and says what became of them.
 */
import type { Fields, Options } from "../config/options.ts";
import type { Position } from "../log/mod.ts";
import type { Message } from "../message/message.ts";
import type { World } from "../os/world.ts";

/** A message on its way out. `id` is the same every time it is sent, so a destination can drop repeats. */
export interface Delivery {
  readonly id: string;
  readonly position: Position;
  /** Made when it is asked for, which costs more than all that went before. */
  readonly message: Message;
  /** Of the message, for who needs no more of it; left out where the message is made already. */
  readonly heading?: Heading;
  /** The message in the destination's format. */
  readonly body: Uint8Array;
}

/** What messages are sorted and addressed by. Those with the same values in a row mostly share one. */
export type Heading = Pick<Message, "timestamp" | "topic" | "env" | "type" | "level" | "key">;

export function headingOf(delivery: Delivery): Heading {
  return delivery.heading ?? delivery.message;
}

/** What became of a batch. Whatever is in neither list was taken. */
export interface Result {
  /**
   * Will never be taken, whoever sends it again: these go to the dead letters, with the reason. More than `refused_max` of a
   * hundred in a row are the destination's trouble instead: the pump then sends them again.
   */
  readonly refused: readonly { readonly delivery: Delivery; readonly reason: string }[];
  /**
   * Not now (throttled, topic not there yet): the pump sends these again before anything later of the same topic. Who lists
   * one lists with it every later one of the same key, so that order holds.
   */
  readonly again: readonly Delivery[];
  /**
   * Topics of messages in `again` that cannot go on by themselves (the destination has no such topic or index, or may not write to
   * it), while others can: if that lasts, the pump goes on with the others and comes back to these. Every message of theirs from
   * the first such one on is in `again`.
   */
  readonly stalled?: readonly string[];
  /** Why there is something in `again`: shown as the destination's last error. */
  readonly trouble?: string;
  /** It was more than the destination bears now: it gets half as many at once, and more again step by step. */
  readonly throttled?: boolean;
  /** How long the destination asks to be left alone before that, in ms. The pump waits five minutes at most. */
  readonly waitMs?: number;
  /** Where the taken ones are now, if the destination tells (partition and first offset, file name): for the audit. */
  readonly receipt?: string;
}

/** Where an adaptor works: its own name, a folder of its own, the outside. */
export interface Place {
  readonly destination: string;
  /** May not exist yet. */
  readonly dir: string;
  readonly world: World;
  /** The cursor's position at opening: what was written for later positions was never counted and comes again. */
  readonly position: Position;
  /** Grows with every rewind: what was written for the same positions in an earlier one counts no more. */
  readonly generation: number;
  /** Of the bodies, as it is configured; left out: "json". */
  readonly format?: string;
  /** Says something to the operator that is no error of a batch, e.g. "acks=all here means 1 copy"; "info" is nothing to wonder at. */
  notice(text: string, level?: "info" | "warning"): void;
}

/** An open connection to one destination. */
export interface Adaptor {
  /**
   * Resolves when the fate of every message of the batch is known.
   * Rejects when nothing is certain: the pump then closes this adaptor, waits, opens anew and sends the same batch again.
   * One call at a time, in order. When `signal` aborts it settles soon.
   */
  send(batch: readonly Delivery[], signal: AbortSignal): Promise<Result>;
  /**
   * Where there may be nobody to send to (PUB): resolves when there is, or when `signal` aborts. The pump waits here, not in `send`.
   */
  ready?(signal: AbortSignal): Promise<void>;
  /** Called now and then while there is nothing to send: files are finished here when their hour is over. */
  idle?(): Promise<void>;
  /** May be called twice. */
  close(): Promise<void>;
}

/** What every `adaptors/<name>/mod.ts` exports as its default. */
export interface AdaptorKind<F extends Fields = Fields> {
  readonly summary: string;
  /** With these options: confirmed (we know it has it), handed over (it applied back-pressure), best effort (it may drop). */
  promise(options: Options<F>): "confirmed" | "handed over" | "best effort";
  readonly options: F;
  /** What is wrong with the options together: ends a sentence that begins with the destination's place in the file. */
  problem?(options: Options<F>): string | undefined;
  /** Whether others come to it: it is opened at once, and not with the first message. */
  listens?(options: Options<F>): boolean;
  /** How many bytes of the log may wait while nobody is there to send to; the oldest beyond it are overwritten. */
  buffer?(options: Options<F>): number | undefined;
  /** Resolves when the destination can be sent to; rejects, saying what to do, when it cannot. */
  open(options: Options<F>, place: Place, signal: AbortSignal): Promise<Adaptor>;
  /**
   * Whether it could be opened, for an operator who asks while another process may have it open: only where `open` would change
   * something. Rejects as `open` does.
   */
  check?(options: Options<F>, place: Place, signal: AbortSignal): Promise<void>;
}

/** Lets the types of `open`'s options follow from the table of options. */
export function adaptor<const F extends Fields>(kind: AdaptorKind<F>): AdaptorKind<F> {
  return kind;
}
