/**
 * `deno run -A test/bench/drain_run.ts DATA READERS memory|disk`: so many destinations that take everything at once read the
 * log, each in a thread of its own and with the pump that all have, together as many messages as it holds. Each has read some
 * before that do not count, so that its code is compiled. Prints a line of JSON.
 */
import process from "node:process";
import { Worker } from "node:worker_threads";
import { sections } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import { claimDirectory, LocalWatermark, SegmentWriter } from "../../src/log/mod.ts";
import { realWorld } from "../../src/os/deno.ts";
import { forget, segmentsOf } from "./pages.ts";
import type { DrainJob } from "./drain_thread.ts";

const [dir, count, from] = Deno.args;
const readers = Number(count);
const world = realWorld();
const mark = new LocalWatermark();
const { segment, ballast } = defaults(sections.log);
const node = claimDirectory(world, dir!, "bench");
const writer = new SegmentWriter(world, dir!, node, mark, {
  segmentBytes: segment,
  reserveBytes: ballast,
  recycle: false,
  destinations: () => new Map(),
  report: (text) => console.error(text),
});
const { position: end, segment: last } = mark;
const each = Math.floor(end / readers);

const threads = Array.from({ length: readers }, (_, number) => {
  const job: DrainJob = { dir: dir!, node, name: `drain-${process.pid}-${number}`, from: end - each, end, last };
  return new Worker(new URL("drain_thread.ts", import.meta.url), { workerData: job });
});
const told = (thread: Worker) => new Promise((resolve) => thread.once("message", resolve));
await Promise.all(threads.map(told));
if (from === "disk") await forget(segmentsOf(dir!));

const before = process.cpuUsage();
const begin = performance.now();
const done = threads.map(told);
for (const thread of threads) thread.postMessage("go");
await Promise.all(done);
const seconds = (performance.now() - begin) / 1000;
const { user, system } = process.cpuUsage(before);

console.log(JSON.stringify({ messages: each * readers, seconds, cpu_s: (user + system) / 1e6 }));
await writer.close();
Deno.exit();
