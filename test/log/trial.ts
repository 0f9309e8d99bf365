/** A log in a simulated world as tests drive it: opened, filled, read, killed, opened again. */
import {
  type CommitHeader,
  commitHeaderBytes,
  firstCommitAt,
  recordBytes,
  recordHeaderBytes,
} from "../../src/log/format.ts";
import {
  claimDirectory,
  destinationKey,
  type Entry,
  type Gap,
  LocalWatermark,
  openCursor,
  type Position,
  SegmentReader,
  SegmentWriter,
  type WriterOptions,
} from "../../src/log/mod.ts";
import { Segment } from "../../src/log/segment.ts";
import type { World } from "../../src/os/world.ts";
import { SimWorld } from "../sim/world.ts";

export const dir = "data";
export const logDir = "data/log";
export type Item = Entry | Gap;
export type Settings = Partial<Omit<WriterOptions, "report">>;

/** One life of a log's writer, and what it reported. */
export class Trial {
  readonly sim: SimWorld;
  readonly world: World;
  readonly node: string;
  readonly mark = new LocalWatermark();
  readonly writer: SegmentWriter;
  readonly reports: string[] = [];

  constructor(sim: SimWorld, settings: Settings = {}) {
    this.sim = sim;
    this.world = sim.boot();
    this.node = claimDirectory(this.world, dir, "a test");
    this.writer = new SegmentWriter(this.world, dir, this.node, this.mark, {
      segmentBytes: 8192,
      reserveBytes: 0,
      recycle: false,
      destinations: () => new Map(),
      ...settings,
      report: (text) => this.reports.push(text),
    });
  }

  /** Each in a commit of its own; returns the position of the last. */
  async append(...entries: readonly (string | Uint8Array)[]): Promise<Position> {
    let last = this.writer.recovered.base;
    for (const entry of entries) {
      last = this.writer.append(bytesOf(entry), 1);
      await this.sim.run(this.writer.durable());
    }
    return last;
  }
  /** All of them in one commit. */
  async appendTogether(...entries: readonly (string | Uint8Array)[]): Promise<void> {
    for (const entry of entries) this.writer.append(bytesOf(entry), 1);
    await this.sim.run(this.writer.durable());
  }
  reader(from = 0): SegmentReader {
    return new SegmentReader(this.world, dir, this.node, from as Position, this.mark);
  }
  read(from = 0): Item[] {
    const reader = this.reader(from);
    try {
      return reader.next({ count: Infinity, bytes: Infinity });
    } finally {
      reader.close();
    }
  }
  cursor(name: string, places: { fresh?: number; lost?: number } = {}): ReturnType<typeof openCursor> {
    const { fresh = 0, lost = 0 } = places;
    return openCursor(this.world, dir, name, this.node, { fresh: fresh as Position, lost: lost as Position });
  }
  /** Everything that is not as it should be, however it was said. */
  get complaints(): string[] {
    const { damages, notes } = this.writer.recovered;
    return [...damages.map(({ what }) => what), ...notes, ...this.reports];
  }
  async close(): Promise<void> {
    await this.sim.run(this.writer.close());
    this.sim.killProcess();
  }
}

export function bytesOf(entry: string | Uint8Array): Uint8Array {
  return typeof entry === "string" ? new TextEncoder().encode(entry) : entry;
}

export function textOf(item: Item): string {
  return "bytes" in item ? new TextDecoder().decode(item.bytes) : `${item.count} ${item.why}`;
}

/** The items' texts and, of gaps, how many messages they cost and why. */
export function texts(items: readonly Item[]): string[] {
  return items.map(textOf);
}

/** Paths of segments, oldest first. */
export function segmentsOf(sim: SimWorld): string[] {
  return sim.filesUnder(logDir).filter((path) => path.endsWith(".seg"));
}

export function filesEnding(sim: SimWorld, ending: string): string[] {
  return sim.filesUnder(dir).filter((path) => path.endsWith(ending));
}

export function quarantined(sim: SimWorld): string[] {
  return sim.filesUnder(`${dir}/quarantine`).map((path) => path.slice(path.lastIndexOf("/") + 1));
}

/** Marks of several destinations, as the writer is told them. */
export function destinationsAt(places: Readonly<Record<string, number>>): () => Map<string, Position> {
  const entries = Object.entries(places).map(([name, at]) => [destinationKey(name), at as Position] as const);
  return () => new Map(entries);
}

/** All files of a simulated disk, to be put on others. */
export type Image = ReadonlyMap<string, Uint8Array>;

export function imageOf(sim: SimWorld): Image {
  return new Map(sim.filesUnder("").map((path) => [path, sim.fileBytes(path)]));
}

export function simWith(image: Image, seed = 1): SimWorld {
  const sim = new SimWorld(seed);
  for (const [path, bytes] of image) sim.writeFile(path, bytes);
  return sim;
}

export interface CommitPlace {
  readonly path: string;
  readonly offset: number;
  readonly header: CommitHeader;
  /** Where its records stand, without the padding. */
  readonly records: readonly { readonly from: number; readonly to: number; readonly position: number }[];
}

/** Where commits and records stand in an undamaged log, so that tests can aim. */
export function commitsOf(sim: SimWorld): CommitPlace[] {
  return segmentsOf(sim).flatMap((path) => commitsIn(sim, path));
}

export function commitsIn(sim: SimWorld, path: string): CommitPlace[] {
  const segment = Segment.open(sim.files, logDir, path.slice(logDir.length + 1));
  const found: CommitPlace[] = [];
  for (let at = firstCommitAt;;) {
    const commit = segment.commitAt(at, segment.size());
    if (!commit) break;
    found.push({
      path,
      offset: at,
      header: commit.header,
      records: recordsIn(commit.payload, at, commit.header.first),
    });
    at = commit.next;
  }
  segment.close();
  return found;
}

function recordsIn(payload: Uint8Array, offset: number, first: number): CommitPlace["records"] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const records: { from: number; to: number; position: number }[] = [];
  for (let [at, position] = [0, first]; at < payload.length;) {
    const length = view.getUint32(at, true);
    const from = offset + commitHeaderBytes + at;
    records.push({ from, to: from + recordHeaderBytes + length, position });
    position += view.getUint32(at + 4, true);
    at += recordBytes(length);
  }
  return records;
}
