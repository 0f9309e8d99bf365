/** The ledger as a file: what is put is durable when `put` returns. */
import { codeOf, type Files, join, type OpenFile, readWhole, replaceFile } from "../../src/os/world.ts";
import { apply, decodeLedger, encodeState, encodeStep, ledgerName, type LedgerState, type Step } from "./wire.ts";

const rewriteBytes = 1 << 20;

export class Ledger {
  readonly #files: Files;
  readonly #path: string;
  #state: LedgerState;
  #file: OpenFile | undefined;
  #end = 0;
  #steps = 0;

  /** Replaces whatever ledger was there by one that says `state`. */
  constructor(files: Files, dir: string, state: LedgerState) {
    this.#files = files;
    this.#path = join(dir, ledgerName);
    this.#state = state;
    this.#rewrite();
  }

  get state(): LedgerState {
    return this.#state;
  }
  put(step: Step): void {
    this.#state = apply(this.#state, step);
    if (this.#end > rewriteBytes) return this.#rewrite();
    const bytes = encodeStep(++this.#steps, step);
    this.#file!.write(this.#end, bytes);
    this.#file!.sync();
    this.#end += bytes.length;
  }
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
  /** Never appends to what an earlier run may have left torn, or what grew too long. */
  #rewrite(): void {
    this.close();
    const bytes = encodeState(this.#state);
    replaceFile(this.#files, this.#path, bytes);
    this.#file = this.#files.open(this.#path);
    this.#end = bytes.length;
    this.#steps = 0;
  }
}

export function readLedger(files: Files, dir: string): LedgerState | "none" | "damaged" {
  try {
    return decodeLedger(readWhole(files, join(dir, ledgerName))) ?? "damaged";
  } catch (problem) {
    if (codeOf(problem) === "ENOENT") return "none";
    throw problem;
  }
}
