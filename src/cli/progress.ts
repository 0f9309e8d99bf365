/** How far a long command is, on standard error while somebody looks at it: one line that is written over. */
import type { Clock } from "../os/world.ts";
import type { Terminal } from "./terminal.ts";

const everyMs = 500;

export class Progress {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  #saidAt: number;
  #said = false;

  constructor(terminal: Terminal, clock: Clock) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#saidAt = clock.elapsed();
  }
  /** `text` is asked for only when it is shown. */
  tell(text: () => string): void {
    if (!this.#terminal.attended || this.#clock.elapsed() - this.#saidAt < everyMs) return;
    this.#saidAt = this.#clock.elapsed();
    this.#said = true;
    this.#terminal.err(`\r${text()}\x1b[K`);
  }
  /** Leaves the line empty for what is said next. */
  end(): void {
    if (this.#said) this.#terminal.err("\r\x1b[K");
    this.#said = false;
  }
}
