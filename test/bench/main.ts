/**
 * `deno task bench`: the figures that the README quotes, a line of JSON each on stdout; how far it is on stderr. Exit code 1 when
 * a case failed, 2 when nothing could be measured.
 */
import { type Bench, type Case, Skipped } from "./case.ts";
import { type Line, parseLines } from "./compare.ts";
import { drain } from "./drain.ts";
import { endToEnd } from "./end_to_end.ts";
import { executableSize, executableStart } from "./executable.ts";
import { inside } from "./inside.ts";
import { isolation } from "./isolation.ts";
import { startLarge } from "./large.ts";
import { lone } from "./lone.ts";
import { lookAtMachine } from "./machine.ts";
import { idleMemory } from "./memory.ts";
import { openLoop } from "./open_loop.ts";
import { help, type Options, parseOptions, type RuntimeKind } from "./options.ts";
import { killAll } from "./process.ts";
import { findRuntime, root } from "./server.ts";
import { Sheet } from "./sheet.ts";
import { slowBodies } from "./slow_bodies.ts";
import { throughputCases } from "./throughput.ts";
import { twoIntakes } from "./two_intakes.ts";
import { zeromq } from "./zeromq.ts";

const cases: readonly Case[] = [
  ...throughputCases,
  openLoop,
  slowBodies,
  ...endToEnd,
  zeromq,
  lone,
  isolation,
  drain,
  executableStart,
  executableSize,
  startLarge,
  idleMemory,
  inside,
  twoIntakes,
];

Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    const chosen = choose(options.cases);
    if (options.help) console.log(help);
    else if (options.list) list();
    else return await runAll(chosen, options);
    return 0;
  } catch (problem) {
    console.error(textOf(problem));
    return 2;
  }
}

function list(): void {
  for (const { name, summary, onRequest } of cases) {
    console.log(`${name.padEnd(26)}${summary}${onRequest ? " (only when named)" : ""}`);
  }
}

function choose(names: readonly string[]): readonly Case[] {
  if (names.length === 0) return cases.filter(({ onRequest }) => !onRequest);
  const isMeant = (name: string, one: Case) => name === one.name || (one.hasParts && name.startsWith(`${one.name}/`));
  const unknown = names.find((name) => !cases.some((one) => isMeant(name, one)));
  if (unknown !== undefined) throw new Error(`There is no case "${unknown}": deno task bench --list`);
  return cases.filter((one) => names.some((name) => isMeant(name, one)));
}

async function runAll(chosen: readonly Case[], options: Options): Promise<number> {
  if (Deno.build.os !== "linux") throw new Error("Cannot measure here: the benchmarks read /proc, which is Linux's");
  const before = options.compare === undefined ? undefined : await saved(options.compare);
  if (options.save !== undefined) await Deno.writeTextFile(options.save, "");
  const dir = await makeDir(options.dir ?? `${root}/dist`);
  endOnSignal(dir);
  try {
    const sheet = new Sheet(options, await lookAtMachine(dir));
    refuseMemory(sheet.machine.fs, dir);
    for (const one of chosen) for (const kind of kindsOf(one, options)) await runCase(one, kind, { sheet, dir });
    if (options.markdown) console.log(`\n${sheet.markdown()}`);
    if (before !== undefined) console.log(`\n${sheet.compared(before)}`);
    return sheet.failed ? 1 : 0;
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

async function saved(file: string): Promise<Line[]> {
  try {
    return parseLines(await Deno.readTextFile(file));
  } catch (problem) {
    throw new Error(`Cannot compare with "${file}": ${textOf(problem)}`);
  }
}

async function makeDir(parent: string): Promise<string> {
  await Deno.mkdir(parent, { recursive: true });
  const dir = await Deno.makeTempDir({ dir: parent, prefix: "bench-" });
  // PostgreSQL runs as somebody else, who has a directory of its own in it.
  await Deno.chmod(dir, 0o711);
  return dir;
}

function endOnSignal(dir: string): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      killAll();
      Deno.removeSync(dir, { recursive: true });
      Deno.exit(130);
    });
  }
}

function refuseMemory(fs: string, dir: string): void {
  if (!["tmpfs", "ramfs"].includes(fs)) return;
  throw new Error(`Cannot measure in "${dir}": ${fs} has no disk to sync; choose another place with --dir`);
}

function kindsOf({ runtimes }: Case, options: Options): readonly RuntimeKind[] {
  if (runtimes === "each") return options.runtimes;
  return [runtimes === "executable" ? "executable" : "source"];
}

async function runCase(
  one: Case,
  kind: RuntimeKind,
  { sheet, dir }: { readonly sheet: Sheet; readonly dir: string },
): Promise<void> {
  const { options, machine } = sheet;
  const about = { case: one.name, runtime: kind as string };
  const own = `${dir}/${one.name}`;
  try {
    const runtime = await findRuntime(kind);
    about.runtime = runtime.name;
    await Deno.mkdir(own);
    const without = (reference: string, reason: string) => sheet.skip({ ...about, reference }, reason);
    const bench: Bench = { options, machine, dir: own, kept: dir, runtime, note, without };
    for (const result of await one.run(bench)) sheet.add(one.name, runtime.name, result);
  } catch (problem) {
    if (problem instanceof Skipped) sheet.skip(about, problem.message);
    else sheet.fail(about, textOf(problem));
  } finally {
    await Deno.remove(own, { recursive: true }).catch(() => {});
  }
}

function note(text: string): void {
  console.error(`# ${text}`);
}

function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
