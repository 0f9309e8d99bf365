/** Reading the configuration again while the node runs: what came of it is told to who asked, in the log and in the status. */
import type { Config } from "../config/keys.ts";
import type { Change } from "../config/reload.ts";
import type { ReloadFacts } from "../observe/status.ts";
import type { Journal } from "../observe/journal.ts";
import type { Clock } from "../os/world.ts";
import { CommandError } from "./exit.ts";

export interface ReloadParts {
  /** Throws a `CommandError` that names what is wrong with it. */
  read(): Promise<Config>;
  /** Rejects when it cannot be taken over; then all is as it was. */
  apply(wanted: Config): Promise<Change>;
  readonly clock: Clock;
  readonly journal: Journal;
}

/** One at a time; who asks while one is under way shares the next. */
export class Reloads {
  readonly #parts: ReloadParts;
  #running: Promise<ReloadFacts> | undefined;
  #next: Promise<ReloadFacts> | undefined;
  /** Of the last one. */
  last: ReloadFacts | undefined;
  readonly count = { ok: 0, failed: 0 };

  constructor(parts: ReloadParts) {
    this.#parts = parts;
  }

  /** Never rejects. */
  reload(): Promise<ReloadFacts> {
    if (this.#running === undefined) return this.#run();
    return this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#run();
    });
  }

  #run(): Promise<ReloadFacts> {
    const running = this.#once().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    return this.#running = running;
  }

  async #once(): Promise<ReloadFacts> {
    const { read, apply, clock, journal } = this.#parts;
    try {
      const change = await apply(await read());
      this.count.ok++;
      this.last = { at: clock.now(), ok: true, text: described(change), needsRestart: change.needsRestart };
    } catch (problem) {
      this.count.failed++;
      const sentences = problem instanceof CommandError ? problem.sentences : [String((problem as Error).message)];
      const needsRestart = this.last?.needsRestart ?? [];
      this.last = { at: clock.now(), ok: false, text: sentences.join("\n"), needsRestart };
    }
    const { ok, text } = this.last;
    if (ok) journal.say("info", `reloaded: ${text}`);
    else journal.say("error", `the configuration is kept as it was: ${text}`);
    return this.last;
  }
}

function described({ added, changed, removed, keys, needsRestart }: Change): string {
  const parts = [
    ["added", added],
    ["changed", changed],
    ["removed", removed],
    ["taken over", keys],
    ["waiting for a restart", needsRestart],
  ] as const;
  const told = parts.filter(([, names]) => names.length > 0).map(([what, names]) => `${what}: ${names.join(", ")}`);
  return told.join("; ") || "nothing has changed";
}
