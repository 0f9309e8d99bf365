/** Whether one log is sound: its segments, the chain of their seals, every commit, and the mark. Part of `verify`. */
import { join } from "../os/world.ts";
import { readNumber } from "./directory.ts";
import { Findings } from "./finding.ts";
import { firstCommitAt, readRecords, type RecordFound, type Stretch } from "./format.ts";
import type { Position } from "./mod.ts";
import type { Commit, Segment } from "./segment.ts";
import { slotStates } from "./slots.ts";
import { openSeen, type SegmentSeen, type Survey } from "./survey.ts";
import { type Step, walk } from "./walk.ts";

export interface Totals {
  segments: number;
  commits: number;
  entries: number;
  messages: number;
  bytes: number;
}
export interface SoundnessOptions {
  /** What is wrong with an entry although its checksum is right; for who knows what entries mean. */
  readonly flawOf?: (bytes: Uint8Array, count: number) => string | undefined;
  /** So many bytes of the log have been read. */
  readonly progress?: (bytes: number) => void;
}

export class Soundness {
  readonly totals: Totals = { segments: 0, commits: 0, entries: 0, messages: 0, bytes: 0 };
  readonly findings: Findings;
  readonly #seen: Survey;
  readonly options: SoundnessOptions;
  /** The position that must come next. */
  #next: number;

  /** Reads all of the log. `prefix` goes in front of the names of its files. */
  constructor(seen: Survey, prefix: string, options: SoundnessOptions) {
    const { segments, low, strays } = seen;
    this.#seen = seen;
    this.options = options;
    this.findings = new Findings(prefix);
    this.#next = Math.min(low, segments[0]?.base ?? low);
    segments.forEach((segment, i) => this.#checkSegment(segment, segments[i - 1]));
    for (const { name, why, rightly } of strays) {
      const how = why === "foreign" ? "it belongs to another node" : `it is ${rightly} under another name`;
      this.findings.damage(`log/${name}`, `${how}; it is left out`);
    }
    this.#checkEpoch();
    this.#checkMark();
  }

  get next(): Position {
    return this.#next as Position;
  }
  arrive(at: Position): void {
    this.#next = at;
  }
  /** What should stand up to position `to` is lost. */
  lose(to: number, file: string, text: string, offset?: number): void {
    const position = this.next;
    this.#next = Math.max(this.#next, to);
    this.findings.damage(file, text, { offset, position, count: this.#next - position });
  }

  #checkSegment(seen: SegmentSeen, before: SegmentSeen | undefined): void {
    const known = this.findings.all.length;
    this.#checkJoint(seen, before);
    const segment = openSeen(this.#seen, seen.name);
    if (segment !== undefined) {
      try {
        this.totals.segments++;
        new SegmentSoundness(this, seen, segment, this.#seen.mark).check();
      } finally {
        segment.close();
      }
    }
    if (this.#wasFreed(seen)) this.findings.all.length = known;
    this.#next = Math.max(this.#next, seen.seal?.end ?? seen.base);
  }

  /** Retention may give a segment back while we read it: that is no damage. */
  #wasFreed({ name }: SegmentSeen): boolean {
    const { holder, files, dir } = this.#seen;
    return holder !== undefined && !files.exists(join(dir, "log", name));
  }

  /** Between one segment and the next nothing may be missing. */
  #checkJoint({ name, base, header }: SegmentSeen, before: SegmentSeen | undefined): void {
    const file = `log/${name}`;
    if (header === undefined) {
      this.findings.damage(file, "its head is damaged; its commits are read all the same", { offset: 0 });
    }
    if (base <= this.#next) return;
    const previous = header?.previous;
    if (before === undefined) this.lose(base, file, "the oldest messages, before this segment, are missing");
    else if (previous && previous.segment !== before.id) {
      this.lose(base, file, `the segment before it (${previous.segment}) is missing`);
    } else this.lose(base, file, "messages before it are missing: the log ended too early when it was begun");
  }

  #checkEpoch(): void {
    const { files, dir, segments, epoch } = this.#seen;
    const least = Math.max(0, ...segments.map(({ header }) => header?.epoch ?? 0));
    if (readNumber(files, join(dir, "epoch")) >= least) return;
    const how = epoch > 0 ? `it says ${epoch}` : "it is missing or cannot be read";
    this.findings.damage("epoch", `${how}, and segments say ${least}; a start goes by them`);
  }

  #checkMark(): void {
    const { files, dir, mark, segments, holder } = this.#seen;
    const states = slotStates(files, join(dir, "mark"));
    if (mark === undefined) {
      if (segments.length === 0) return;
      if (states?.every((state) => state === "blank")) {
        if (holder !== undefined) return;
        return this.findings.note("mark", "it was never written: the node lived less than a second");
      }
      const how = states === undefined ? "it is missing" : "it cannot be read";
      return this.findings.damage("mark", `${how}: a loss at the end of the log could not be noticed`);
    }
    if (states?.includes("damaged")) {
      this.findings.note("mark", "one of its two slots cannot be read; the other is used");
    }
    if (mark.position > this.#next) this.lose(mark.position, "mark", "the log was durable further than it goes now");
  }
}

/** One segment. */
class SegmentSoundness {
  readonly #log: Soundness;
  readonly #seen: SegmentSeen;
  readonly #segment: Segment;
  readonly #mark: Survey["mark"];
  readonly #file: string;
  /** Checksum of the commit before; undefined behind damage. */
  #chain: number | undefined;
  /** Where the commits end, as far as seen. */
  #offset = firstCommitAt;

  constructor(log: Soundness, seen: SegmentSeen, segment: Segment, mark: Survey["mark"]) {
    this.#log = log;
    this.#seen = seen;
    this.#segment = segment;
    this.#mark = mark?.segment === seen.id ? mark : undefined;
    this.#file = `log/${seen.name}`;
    this.#chain = segment.header && segment.chainStart();
  }

  check(): void {
    for (const step of walk(this.#segment, this.#seen.bounds)) {
      if (step.kind === "commit") this.#checkCommit(step.commit);
      else if (step.kind === "damage") this.#checkDamage(step);
      else this.#tellTorn(step.from, step.to);
    }
    this.#checkEnd();
  }

  #checkCommit({ header, payload, offset, next }: Commit): void {
    const { findings, totals } = this.#log;
    if (this.#chain !== undefined && header.chain !== this.#chain) {
      findings.damage(this.#file, "this commit does not follow the one before it", { offset });
    }
    totals.commits++;
    this.#checkRecords(readRecords(payload, header), offset);
    this.#arrive({ chain: header.crc, offset: next, position: header.first + header.count as Position });
    if (next === this.#mark?.offset && header.crc !== this.#mark.chain) {
      findings.damage(this.#file, "this commit is not the one that the mark remembers", { offset });
    }
    totals.bytes += next - offset;
    this.#log.options.progress?.(next - offset);
  }

  /** What a reader would still get of it is not lost. */
  #checkDamage({ from, to, stretch }: Damage): void {
    const records = this.#segment.salvage(from, to, stretch);
    const whole = records.filter(({ bytes }) => bytes !== undefined);
    const { position, count } = this.#lostIn(records, stretch);
    const saved = whole.reduce((sum, record) => sum + record.count, 0);
    const size = this.#segment.size();
    const what = from === to
      ? "positions are missing before this commit"
      : size < to
      ? `the file ends at byte ${size}, before byte ${to}`
      : `it is damaged up to byte ${to}`;
    const text = count === 0
      ? `${what}; no message is lost`
      : saved > 0
      ? `${what}; ${saved} of the messages there can be read`
      : what;
    this.#log.findings.damage(this.#file, text, { offset: from, position, count });
    this.#checkRecords(whole, from);
    this.#arrive({ chain: undefined, offset: to, position: stretch.first + stretch.count as Position });
    this.#log.options.progress?.(to - from);
  }

  /** From the first to the last message that cannot be read: those in between are few, if any. */
  #lostIn(records: readonly RecordFound[], { first, count }: Stretch): { position: Position; count: number } {
    const lost = records.filter(({ bytes }) => bytes === undefined);
    if (records.length === 0) return { position: first, count };
    return { position: lost[0]?.position ?? first, count: lost.reduce((sum, record) => sum + record.count, 0) };
  }

  #checkRecords(records: readonly RecordFound[], offset: number): void {
    const { totals, options, findings } = this.#log;
    for (const { position, count, bytes } of records) {
      const flaw = bytes === undefined ? "an entry cannot be read" : options.flawOf?.(bytes, count);
      if (flaw !== undefined) findings.damage(this.#file, flaw, { offset, position, count });
      if (bytes === undefined) continue;
      totals.entries++;
      totals.messages += count;
    }
  }

  #arrive({ chain, offset, position }: { chain: number | undefined; offset: number; position: Position }): void {
    this.#chain = chain;
    this.#offset = offset;
    this.#log.arrive(position);
  }

  #tellTorn(from: number, to: number): void {
    const text = `a commit that was begun and not finished is left out: it was never accepted (${to - from} bytes)`;
    this.#log.findings.note(this.#file, text, { offset: from });
  }

  /** The successor's header says where the segment must end, and with which commit. */
  #checkEnd(): void {
    const { seal } = this.#seen;
    if (seal === undefined) return;
    if (seal.end > this.#log.next) this.#log.lose(seal.end, this.#file, "it ends too early", this.#offset);
    else if (this.#chain !== undefined && this.#chain !== seal.chain) {
      this.#log.findings.damage(this.#file, "its last commit is not the one that its successor remembers");
    }
  }
}

type Damage = Extract<Step, { kind: "damage" }>;
