/**
 * Whether a destination refuses too much: who turns most messages away is in trouble itself (a mapping, a schema, a wrong address),
 * and its messages are no dead letters. Pure but for the outcomes it remembers.
 */

/** So many messages in a row are looked at. */
const inARow = 100;

export class Refusals {
  readonly #most: number;
  /** The last outcomes, oldest first: true for a refusal. */
  #last: readonly boolean[] = [];
  /** How many were taken since there were too many refusals; nothing while all is well. */
  #takenSince: number | undefined;

  /** `most`: how many refusals in a hundred are still about the messages. */
  constructor(most: number) {
    this.#most = most;
  }

  /** So many were taken, and none refused. */
  pass(count: number): void {
    if (count > 0) this.#remember(Array.from({ length: Math.min(count, inARow) }, () => false));
  }

  /** What became of messages, in order. False when there are too many refusals: those are to be offered again. */
  take(outcomes: readonly boolean[]): boolean {
    const few = this.#takenSince === undefined ? this.#areFew(outcomes) : this.#areFewSince(outcomes);
    if (few) this.#remember(outcomes);
    else this.#takenSince = (this.#takenSince ?? 0) + outcomes.length - refusedOf(outcomes);
    return few;
  }

  /** In no hundred in a row are there too many. */
  #areFew(outcomes: readonly boolean[]): boolean {
    const row = [...this.#last, ...outcomes];
    let refused = 0;
    return row.every((one, i) => {
      refused += Number(one) - Number(row[i - inARow] ?? false);
      return refused <= this.#most;
    });
  }

  /** Those that waited are alone now: what is still refused is judged beside what was taken since. */
  #areFewSince(outcomes: readonly boolean[]): boolean {
    return refusedOf(outcomes) * 100 <= this.#most * (this.#takenSince! + outcomes.length);
  }

  #remember(outcomes: readonly boolean[]): void {
    this.#last = [...(this.#takenSince === undefined ? this.#last : []), ...outcomes].slice(-inARow);
    this.#takenSince = undefined;
  }
}

function refusedOf(outcomes: readonly boolean[]): number {
  return outcomes.filter((refused) => refused).length;
}
