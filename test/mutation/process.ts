/** A process that runs tests on mutants, watched from outside: a mutant may never end, or eat all memory. */
import type { Job, Said } from "./runner.ts";

/** How a process ended: with its job done, or during a test. */
export type End = "done" | "hung" | "out of memory" | "died";

const looksMs = 100;
const residentBytesMax = 1500 << 20;
/** Beyond what the test took by itself, ten times over. */
const graceMs = 2000;
/** For reading all files with tests, some of which get their logs ready then. */
const loadingMs = 15_000;
/** Whoever waits for nothing uses no processor; a busy machine takes its time. */
const wallFactor = 10;

/** Does `job` in the copy; `hear` gets what is said, `expected` is how long a test takes when all is well. */
export async function runJob(
  copy: string,
  job: Job,
  expected: (test: string) => number,
  hear: (said: Said) => void,
): Promise<End> {
  const path = await Deno.makeTempFile({ dir: copy, suffix: ".job.json" });
  await Deno.writeTextFile(path, JSON.stringify(job));
  const args = ["run", "-A", "--no-check", "--node-modules-dir=manual", "--v8-flags=--max-old-space-size=1024"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, `${copy}/test/mutation/runner.ts`, path],
    cwd: copy,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const watch = new Watch(child);
  if (job.mutants) watch.begin(loadingMs);
  for await (const line of linesOf(child.stdout)) {
    if (!line.startsWith("@")) continue;
    const said: Said = JSON.parse(line.slice(1));
    if (said.is === "test") watch.begin(10 * expected(said.test) + graceMs);
    hear(said);
  }
  const { code } = await child.status;
  watch.stop();
  await Deno.remove(path);
  return watch.verdict ?? (code === 0 ? "done" : "died");
}

class Watch {
  verdict: End | undefined;
  readonly #child: Deno.ChildProcess;
  readonly #timer: ReturnType<typeof setInterval>;
  #limitMs = Infinity;
  #processorMs = 0;
  #began = performance.now();

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#timer = setInterval(() => this.#look(), looksMs);
  }
  begin(limitMs: number): void {
    this.#limitMs = limitMs;
    this.#began = performance.now();
    this.#processorMs = this.#usage()?.processorMs ?? 0;
  }
  stop(): void {
    clearInterval(this.#timer);
  }
  #look(): void {
    const usage = this.#usage();
    if (!usage || this.verdict) return;
    const wallMs = performance.now() - this.#began;
    if (usage.residentBytes > residentBytesMax) this.verdict = "out of memory";
    else if (usage.processorMs - this.#processorMs > this.#limitMs) this.verdict = "hung";
    else if (wallMs > wallFactor * this.#limitMs) this.verdict = "hung";
    if (this.verdict) this.#child.kill("SIGKILL");
  }
  #usage(): { processorMs: number; residentBytes: number } | undefined {
    try {
      const stat = Deno.readTextFileSync(`/proc/${this.#child.pid}/stat`).replace(/^.*\) /, "").split(" ");
      // Counted from the third field on: user and system time in hundredths of a second, resident pages.
      return { processorMs: 10 * (Number(stat[11]) + Number(stat[12])), residentBytes: 4096 * Number(stat[21]) };
    } catch {
      return undefined; // it has just ended
    }
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
