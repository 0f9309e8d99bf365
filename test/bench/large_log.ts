/**
 * Makes a data directory: `deno run -A test/bench/large_log.ts DIR MESSAGES [load]`.
 *
 * As a killed process leaves it, all but the last segment in large commits; the last, nearly full, in commits of one message: a
 * start has the most to look at there. With "load": what `ndjson-100` leaves in an orderly way, a hundred messages a request.
 */
import { sections } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import { claimDirectory, LocalWatermark, SegmentWriter } from "../../src/log/mod.ts";
import { encodeEntry } from "../../src/message/wire.ts";
import { realWorld } from "../../src/os/deno.ts";
import type { Files, OpenFile, World } from "../../src/os/world.ts";
import { messageLine } from "./body.ts";
import { entryOf as loadOf } from "./entry.ts";

/** With its head a message takes 1 KiB of the log. */
const dataBytes = 1000;
const entryMessages = 100;
const entriesPerCommit = 64;
/** As many requests as are under way at once. */
const entriesPerLoadCommit = 16;
/** How much of the last segment is left free. */
const freeBytes = 4 << 20;

const { segment, ballast } = defaults(sections.log);

const [dir, messages, kind] = Deno.args;
await (kind === "load" ? makeOfLoad : make)(dir!, Number(messages));
// Not closed: the last segment keeps the zeros behind its end, and the mark is what it was.
Deno.exit();

function openWriter(dir: string): SegmentWriter {
  const world = unsynced(realWorld());
  return new SegmentWriter(world, dir, claimDirectory(world, dir, "bench"), new LocalWatermark(), {
    segmentBytes: segment,
    reserveBytes: ballast,
    recycle: false,
    destinations: () => new Map(),
    report: (text) => console.error(text),
  });
}

async function makeOfLoad(dir: string, messages: number): Promise<void> {
  const writer = openWriter(dir);
  const many = loadOf(entryMessages);
  for (let made = 0, entries = 1; made < messages; made += entryMessages, entries++) {
    writer.append(many, entryMessages);
    if (entries % entriesPerLoadCommit === 0) await writer.durable();
  }
  await writer.durable();
  await writer.close();
}

async function make(dir: string, messages: number): Promise<void> {
  const writer = openWriter(dir);
  const many = entryOf(Array.from({ length: entryMessages }, () => "x".repeat(dataBytes)));
  for (let made = 0, entries = 1; made < messages; made += entryMessages, entries++) {
    writer.append(many, entryMessages);
    if (entries % entriesPerCommit === 0) await writer.durable();
  }
  await writer.durable();
  const one = entryOf([messageLine(0)]);
  const segments = writer.segments().length;
  // To the end of the segment that is written now, then most of the next.
  while (writer.segments().length === segments) await commit(writer, one);
  const commitBytes = 64 + one.length + 8;
  for (let bytes = 0; bytes < segment - freeBytes; bytes += commitBytes) await commit(writer, one);
}

async function commit(writer: SegmentWriter, entry: Uint8Array): Promise<void> {
  writer.append(entry, 1);
  await writer.durable();
}

function entryOf(data: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  const messages = data.map((text) => ({ fields: {}, data: encoder.encode(text), dataIsJson: true }));
  return encodeEntry({ timestamp: Date.now(), shared: { topic: "test" } }, messages);
}

/** Nothing is at stake, and syncs would take hours. */
function unsynced(world: World): World {
  const { files } = world;
  const open = (file: OpenFile): OpenFile => ({
    read: (at, into) => file.read(at, into),
    readAside: (at, into) => file.readAside(at, into),
    write: (at, bytes) => file.write(at, bytes),
    sync() {},
    writeAside: (at, bytes) => file.writeAside(at, bytes),
    truncate: (bytes) => file.truncate(bytes),
    size: () => file.size(),
    close: () => file.close(),
  });
  const lazy: Files = {
    create: (path, rights) => open(files.create(path, rights)),
    open: (path, to) => open(files.open(path, to)),
    exists: (path) => files.exists(path),
    list: (dir) => files.list(dir),
    makeDir: (dir) => files.makeDir(dir),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    syncDir() {},
    aside: files.aside,
    lock: (path, holder) => files.lock(path, holder),
    holder: (path) => files.holder(path),
    space: (path) => files.space(path),
  };
  return { ...world, files: lazy };
}
