/**
 * The bytes of the ledger, `.sparkngin` in the output directory: which messages are in the files, and how long each unfinished
 * file is. One line a step, `<CRC-32 of the JSON, 8 hex> <JSON>`; the first line is the whole state:
 *
 *     {"step":0,"version":1,"destination":"file","generation":1,"position":42,"time":1772366400000,"files":[["web/…",1024]]}
 *     {"step":1,"position":50,"time":1772366400007,"files":[["web/…",2048]],"finished":["app/…"]}
 *
 * Every line stands twice, and an empty line follows each copy, so that damage to one byte or one sector is not mistaken for a
 * line that a power cut interrupted: that one has no whole copy, and nothing after it.
 */
import { crc32 } from "node:zlib";

export const ledgerName = ".sparkngin";
/** Locked by the process whose files these are. */
export const lockName = `${ledgerName}.lock`;
const version = 1;

/** What became true in one step. Lengths are of the files as they are called when finished. */
export interface Step {
  /** Everything before it is in the files, or was not for us. */
  readonly position: number;
  /** The latest arrival time of a message in the files, ms. */
  readonly time: number;
  readonly files: Iterable<readonly [name: string, length: number]>;
  readonly finished?: readonly string[];
}
/** The sum of all steps. */
export interface LedgerState {
  readonly destination: string;
  readonly generation: number;
  readonly position: number;
  readonly time: number;
  readonly files: ReadonlyMap<string, number>;
}

export function encodeState({ files, ...state }: LedgerState): Uint8Array {
  return encodeLine({ step: 0, version, ...state, files: [...files] });
}

export function encodeStep(step: number, { position, time, files, finished = [] }: Step): Uint8Array {
  return encodeLine({ step, position, time, files: [...files], ...(finished.length > 0 ? { finished } : {}) });
}

/** The state after `change`. */
export function apply(state: LedgerState, { position, time, files, finished = [] }: Step): LedgerState {
  const lengths = new Map(state.files);
  for (const name of finished) lengths.delete(name);
  for (const [name, length] of files) lengths.set(name, length);
  return { ...state, position, time, files: lengths };
}

/** Undefined when it is damaged; an interrupted last line is not damage. Throws if a newer program wrote it. */
export function decodeLedger(bytes: Uint8Array): LedgerState | undefined {
  let state: LedgerState | undefined;
  let next = 0;
  for (const line of new TextDecoder().decode(bytes).split("\n")) {
    const found = readLine(line);
    if (found === undefined || found.step < next) continue;
    // A step is missing before this one: what it said of lengths is lost.
    if (found.step > next) return undefined;
    if (found.step === 0) assertVersion(found.version);
    state = state ? apply(state, found) : { ...found, files: new Map(found.files) };
    next++;
  }
  return state;
}

type Line = Omit<LedgerState, "files"> & {
  step: number;
  version?: number;
  files: [string, number][];
  finished?: string[];
};

function encodeLine(line: object): Uint8Array {
  const json = JSON.stringify(line);
  return new TextEncoder().encode(`${checksum(json)} ${json}\n\n`.repeat(2));
}

function readLine(line: string): Line | undefined {
  const json = line.slice(9);
  return json !== "" && line.startsWith(`${checksum(json)} `) ? JSON.parse(json) : undefined;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}

function assertVersion(found: number | undefined): void {
  if (found !== version) {
    throw new Error(`Cannot read ${ledgerName}: its version is ${found}, this program reads ${version}`);
  }
}
