/** Where others come to us, as to a publisher: the adaptor is opened early, and messages wait until somebody is there for them. */
import type { Cursor, Position, Watermark } from "../log/mod.ts";
import type { World } from "../os/world.ts";
import { pauseAfter } from "./backoff.ts";
import { deadlineAfter } from "./deadline.ts";
import { reasonOf, type Sender } from "./sender.ts";

export interface AttendanceParts {
  readonly world: World;
  readonly cursor: Cursor;
  readonly mark: Watermark;
  readonly sender: Sender;
  /** While nobody is there to send to, what is before this is overwritten; asked with the cursor's position. */
  readonly buffered?: (from: Position) => Position;
  /** Called now and then while nobody is there. */
  readonly meanwhile: (signal: AbortSignal) => Promise<void>;
  readonly watch: AttendanceWatch;
}
export interface AttendanceWatch {
  /** It goes well, with `tries` 0, or the `tries`-th try in a row has failed. */
  trouble(text: string | undefined, tries: number): void;
  /** There are messages, and nobody is there to send them to. */
  alone(): void;
}

const momentMs = 1000;

export class Attendance {
  readonly #parts: AttendanceParts;

  constructor(parts: AttendanceParts) {
    this.#parts = parts;
  }

  /** Up to where messages are given up now, the oldest first: the buffer holds no more. */
  get overwrittenTo(): Position {
    const { buffered, cursor, mark } = this.#parts;
    const from = cursor.position;
    return buffered === undefined ? from : Math.min(buffered(from), mark.position) as Position;
  }

  /** Until somebody is there, or nothing is to be sent, or `signal` aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const { world, watch, cursor, mark, sender, meanwhile } = this.#parts;
    let [tries, alone] = [0, false];
    while (!signal.aborted) {
      const moment = deadlineAfter(world.clock, momentMs, signal);
      try {
        const adaptor = await sender.opened(signal);
        const waits = mark.position > cursor.position;
        if (tries > 0 && !alone) watch.trouble(undefined, 0);
        tries = 0;
        if (!waits || adaptor.ready === undefined) return;
        await adaptor.ready(moment.signal);
        if (!moment.signal.aborted || signal.aborted) return;
        watch.alone();
        alone = true;
      } catch (problem) {
        await sender.letGo();
        if (!signal.aborted) watch.trouble(reasonOf(problem), tries + 1);
        await world.clock.sleep(pauseAfter(tries++, world.random), signal);
      } finally {
        moment.clear();
      }
      await meanwhile(signal);
    }
  }
}
