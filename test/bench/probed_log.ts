/** A real log, in a file system in memory: what it costs without a disk. */
import { sections } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import { claimDirectory, LocalWatermark, type Position, SegmentReader, SegmentWriter } from "../../src/log/mod.ts";
import { realWorld } from "../../src/os/deno.ts";
import type { Probe } from "./probe.ts";

interface ProbedEntry {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** As pumps have it by default. */
const limit = { count: 5000, bytes: 1 << 20 };
const commitEntries = 64;

export class ProbedLog {
  readonly #dir: string;
  readonly #world = realWorld();
  readonly #mark = new LocalWatermark();
  readonly #writer: SegmentWriter;

  constructor(dir: string) {
    const { segment, ballast, recycle } = defaults(sections.log);
    this.#dir = dir;
    this.#writer = new SegmentWriter(this.#world, dir, claimDirectory(this.#world, dir, "bench"), this.#mark, {
      segmentBytes: segment,
      reserveBytes: ballast,
      recycle,
      destinations: () => new Map(),
      report: (text) => console.error(text),
    });
  }

  async fill({ bytes, count }: ProbedEntry, entries: number): Promise<void> {
    for (let i = 0; i < entries; i++) {
      this.#writer.append(bytes, count);
      if (i % commitEntries === 0) await this.#writer.durable();
    }
    await this.#writer.durable();
  }

  writeProbe(name: string, { bytes, count }: ProbedEntry, entries: number): Probe {
    const writer = this.#writer;
    return {
      name,
      what: `append and commit of ${entries} entries of ${count}, in memory`,
      messages: entries * count,
      run() {
        for (let i = 0; i < entries; i++) writer.append(bytes, count);
        return writer.durable();
      },
      tidy: () => writer.trim(this.#mark.position),
    };
  }

  readProbe(name: string, what: string): Probe {
    const messages = this.#mark.position;
    return {
      name,
      what: `SegmentReader.next until caught up, ${what}, in memory`,
      messages,
      run: () => this.#drain(messages),
    };
  }

  #drain(messages: number): void {
    const reader = new SegmentReader(this.#world, this.#dir, this.#writer.node, 0 as Position, this.#mark);
    let count = 0;
    for (let items = reader.next(limit); items.length > 0; items = reader.next(limit)) {
      for (const item of items) count += "why" in item ? 0 : item.count;
    }
    reader.close();
    if (count !== messages) throw new Error(`Read ${count} of ${messages} messages`);
  }

  close(): Promise<void> {
    return this.#writer.close();
  }
}
