/** Is everything that was accepted still as it was? Reads all of a data directory and changes nothing. */
import { type Files, join } from "../os/world.ts";
import { type CursorState, peekCursor, waitingIn } from "./cursor.ts";
import { nodeInFile } from "./directory.ts";
import { type Finding, Findings, lostIn } from "./finding.ts";
import type { Position } from "./mod.ts";
import { slotStates } from "./slots.ts";
import { Soundness, type SoundnessOptions, type Totals } from "./soundness.ts";
import { type Known, type Survey, survey, visibleEnd } from "./survey.ts";
import { verdicts } from "./verdict.ts";

export interface Verification {
  readonly node: string | undefined;
  readonly holder: string | undefined;
  readonly start: Position;
  readonly end: Position;
  readonly totals: Totals;
  /** Of the dead letters, by destination. */
  readonly dead: Readonly<Record<string, Totals>>;
  readonly findings: readonly Finding[];
  /** Messages of the log that cannot be read any more. */
  readonly lost: number;
}

export interface VerifyOptions extends SoundnessOptions {
  readonly known?: Known;
  /** The same for the records of dead letters. */
  readonly letterFlawOf?: SoundnessOptions["flawOf"];
}

/** `files` should be such that cannot be written. Throws `NewerFormat`. */
export function verify(files: Files, dir: string, options: VerifyOptions = {}): Verification {
  // Before the log: it can only have grown since.
  const cursors = cursorsIn(files, dir);
  const seen = survey(files, dir, options.known);
  const log = new Soundness(seen, "", options);
  const findings = [...checkNode(files, dir, seen), ...log.findings.all, ...checkCursors(files, cursors, seen)];
  const lost = lostIn(findings);
  const dead: Record<string, Totals> = {};
  const { flawOf: _, ...others } = options;
  const ofLetters = { ...others, ...(options.letterFlawOf && { flawOf: options.letterFlawOf }) };
  for (const name of deadLettersIn(files, dir)) {
    const letters = new Soundness(survey(files, join(dir, "dead", name), seen), `dead/${name}/`, ofLetters);
    dead[name] = letters.totals;
    findings.push(...letters.findings.all);
  }
  const { node, holder, segments, end } = seen;
  return { node, holder, start: segments[0]?.base ?? end, end, totals: log.totals, dead, findings, lost };
}

/** Destinations that have refused something: each has a log of its own. */
export function deadLettersIn(files: Files, dir: string): string[] {
  const names = files.exists(join(dir, "dead")) ? files.list(join(dir, "dead")) : [];
  return names.filter((name) => files.exists(join(dir, "dead", name, "log")));
}

/** Every cursor by its destination; undefined where none can be read. */
export function cursorsIn(files: Files, dir: string): Map<string, CursorState | undefined> {
  const names = files.exists(join(dir, "cursors")) ? files.list(join(dir, "cursors")) : [];
  return new Map(names.map((name) => [name, peekCursor(files, dir, name)]));
}

function checkNode(files: Files, dir: string, { node }: Survey): readonly Finding[] {
  const findings = new Findings();
  if (nodeInFile(files, dir) !== undefined) return [];
  const how = files.exists(join(dir, "node")) ? "it is damaged" : "it is missing";
  findings.damage("node", node ? `${how}; the segments say ${node}` : how);
  return findings.all;
}

function checkCursors(
  files: Files,
  cursors: ReadonlyMap<string, CursorState | undefined>,
  seen: Survey,
): readonly Finding[] {
  const findings = new Findings();
  const end = seen.holder === undefined ? seen.end : visibleEnd(seen);
  for (const [name, cursor] of cursors) {
    const file = `cursors/${name}`;
    if (cursor === undefined) {
      findings.damage(file, "it cannot be read; a start goes by the mark, or else sends what the log has once more");
      continue;
    }
    if (slotStates(files, join(seen.dir, file))?.includes("damaged")) {
      findings.note(file, "one of its two slots cannot be read; the other is used");
    }
    checkCursor(cursor, { file, end, node: seen.node, findings });
  }
  return findings.all;
}

function checkCursor(
  { node, start, position, ahead, sides, counts }: CursorState,
  { file, end, node: ours, findings }: { file: string; end: Position; node: string | undefined; findings: Findings },
): void {
  if (ours !== undefined && node !== ours) findings.damage(file, `it belongs to node ${node}`);
  const sum = verdicts.reduce((total, verdict) => total + counts[verdict], 0);
  if (start + sum + waitingIn(sides) !== ahead) {
    findings.damage(file, `its counts do not add up: from ${start}, ${sum} verdicts, but it stands at ${ahead}`);
  }
  if (position > end) {
    const text = `it stands at ${position}, and the log ends at ${end}: accepted messages are missing at the end`;
    findings.damage(file, text, { position: end, count: position - end });
  }
}
