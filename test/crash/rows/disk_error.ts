/**
 * Calls that fail: each kind of call on each kind of file that a life makes, the first, the second, one in the middle and the
 * last, once, for ever, or until the disk has healed a second later. Either the node goes on, or it ends with 70 (74 where there
 * is no room) and a start goes on. The sync of a segment is never tried again.
 */
import assert from "node:assert";
import { launchNode, makeTempDir, type Node } from "../../e2e/node.ts";
import { eventually, pause } from "../../e2e/waiting.ts";
import { chance, Driver } from "../driver.ts";
import { type Call, type Errno, Faults, type Made, type Rule, type Site, sitesOf } from "../fault.ts";
import { drain, Recoveries, takeOne, together, underLoad } from "../life.ts";
import { missing } from "../needs.ts";
import { examine } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";

/** A roll every few commits, and delivered segments go at once. */
const config = `
[log]
segment = "64KiB"
retain_max = "0"

[[destination]]
name = "out"
kind = "file"
roll_bytes = "300KiB"
keep_max = "0"
`;
/** How many faults one directory meets. */
const faultsADirectory = 25;
const loadMs = 700;
const healMs = 1000;
/** Nothing may hang for longer. It delivers for 10 s more when its log has stopped. */
const hangMs = 20_000;

export const row: Row = {
  number: 5,
  name: "failing calls of the disk, at every place",
  promises: "P1 P2 P4 P8 P9 P10",
  runs: { ci: 30, full: 2000, nightly: 10_000 },
  missing: () => missing(["gcc"]),
  run: strikeEverywhere,
};

/** A case: what fails, and whether in the very first start on a directory. */
interface Case {
  readonly rule: Rule;
  readonly fresh: boolean;
}

/** Each case once if there is time for all of them, else the commits' own and some of the others, as the seed has it. */
async function strikeEverywhere({ runs, seed, goOn }: Order): Promise<Outcome> {
  const all = await findCases(seed);
  const chosen = shuffled(all, chance(seed, -5)).sort((a, b) => rankOf(a) - rankOf(b)).slice(0, runs);
  const outcomes: Outcome[] = [];
  let done = 0;
  let goesOn = true;
  for (const cases of byDirectory(chosen)) {
    if (!goesOn) break;
    const struck = () => goesOn = goOn(++done);
    outcomes.push(await strikeOften(cases, seed + outcomes.length, struck));
  }
  return { ...together(outcomes), remark: `of ${all.length} cases` };
}

function rankOf({ rule }: Case): number {
  return isCommit(rule) ? 0 : 1;
}

function isCommit({ call, pattern }: Site): boolean {
  return pattern === "log/*.seg" && (call === "write" || call === "sync");
}

/** Those of a first start have a directory each. */
function byDirectory(cases: readonly Case[]): Case[][] {
  const later = cases.filter(({ fresh }) => !fresh);
  const shared = Array.from({ length: Math.ceil(later.length / faultsADirectory) }, (_, i) => {
    return later.slice(i * faultsADirectory, (i + 1) * faultsADirectory);
  });
  return [...shared, ...cases.filter(({ fresh }) => fresh).map((one) => [one])];
}

/** From a first life, and one that goes on after a kill. */
async function findCases(seed: number): Promise<Case[]> {
  await using home = await makeTempDir();
  const lab = await openLab(home.path, seed);
  const first = await tracedLife(lab);
  const second = await tracedLife(lab);
  const known = new Set(second.map(({ site }) => nameOf(site)));
  const onlyFirst = first.filter(({ site }) => !known.has(nameOf(site)));
  return [
    ...second.flatMap(({ site, count }) => rulesAt(site, count).map((rule) => ({ rule, fresh: false }))),
    ...onlyFirst.flatMap(({ site, count }) => rulesAt(site, count).map((rule) => ({ rule, fresh: true }))),
  ];
}

async function tracedLife(lab: Lab): Promise<ReturnType<typeof sitesOf>> {
  await lab.faults.trace();
  {
    await using node = await lab.recoveries.start(lab.setup);
    await underLoad(node, lab.driver, () => pause(loadMs));
    node.kill("SIGKILL");
  }
  return sitesOf(await lab.faults.traced());
}

function nameOf({ call, pattern }: Site): string {
  return `${call} ${pattern}`;
}

const lacking: readonly Call[] = ["create", "write", "rename", "make directory"];
const opening: readonly Call[] = ["create", "open", "list"];
const doubtful: readonly Call[] = ["create", "sync", "sync directory", "rename", "unlink"];

function rulesAt(site: Site, count: number): Rule[] {
  const middle = Math.ceil(count / 2);
  const places = [...new Set([1, 2, middle, count])].filter((n) => n <= count);
  const has = (calls: readonly Call[]) => calls.includes(site.call);
  const others: Errno[] = [...has(lacking) ? ["ENOSPC" as const] : [], ...has(opening) ? ["EMFILE" as const] : []];
  const rule = (at: number, does: Rule["does"], lasts: Rule["lasts"], after = false) =>
    ({ ...site, at, does, lasts, after }) satisfies Rule;
  return [
    ...places.map((n) => rule(n, "EIO", "once")),
    ...has(doubtful) ? [rule(middle, "EIO", "once", true)] : [],
    ...site.call === "write" ? [rule(middle, "short", "once")] : [],
    ...[1, middle].flatMap((n) => [...isUnreadable(site) ? [] : [rule(n, "EIO", "for ever")], rule(n, "EIO", healMs)]),
    ...others.flatMap((errno) => [rule(middle, errno, "once"), rule(middle, errno, healMs)]),
  ];
}

/** What cannot be read however often it is tried is damaged, and costs messages, as P8 says. */
function isUnreadable({ call, pattern }: Site): boolean {
  return call === "read" && pattern === "log/*.seg";
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  return all.map((one) => ({ one, by: random() })).sort((a, b) => a.by - b.by).map(({ one }) => one);
}

interface Lab {
  readonly setup: { readonly dir: string; readonly config: string; readonly env: Readonly<Record<string, string>> };
  readonly faults: Faults;
  readonly driver: Driver;
  readonly recoveries: Recoveries;
}

async function openLab(dir: string, seed: number): Promise<Lab> {
  const faults = await Faults.prepare(dir, `${dir}/data`);
  return {
    setup: { dir, config, env: faults.env },
    faults,
    driver: new Driver(seed, 6),
    recoveries: new Recoveries(),
  };
}

async function strikeOften(cases: readonly Case[], seed: number, goOn: () => boolean): Promise<Outcome> {
  await using home = await makeTempDir();
  const lab = await openLab(home.path, seed);
  let runs = 0;
  for (const { rule } of cases) {
    await strike(lab, rule);
    runs++;
    if (!goOn()) break;
  }
  await settle(lab);
  const findings = await examine(lab.driver, `${home.path}/data/out`);
  return { runs, accepted: lab.driver.count("ok"), findings, worstRecoveryMs: lab.recoveries.worstMs };
}

async function settle({ setup, recoveries }: Lab): Promise<void> {
  await using node = await recoveries.start(setup);
  assertNothingMissing(node);
  await drain(node, [`${setup.dir}/data/out`]);
}

async function strike(lab: Lab, rule: Rule): Promise<void> {
  const { faults, setup } = lab;
  await faults.trace();
  faults.arm(rule);
  try {
    await using node = await launchNode(setup);
    await meet(lab, node, rule);
    const made = await faults.traced();
    // After half a write the rest may follow.
    if (rule.does !== "short") assertNoSecondTry(made);
  } catch (problem) {
    throw new Error(`After ${JSON.stringify(rule)}: ${problem instanceof Error ? problem.message : problem}`, {
      cause: problem,
    });
  } finally {
    faults.disarm();
  }
}

/** The node goes on or ends as it should; in both cases it then takes messages, with nothing to complain of. */
async function meet(lab: Lab, node: Node, rule: Rule): Promise<void> {
  const { faults, driver, setup, recoveries } = lab;
  node.ready().catch(() => {});
  await eventually("a node that is ready or ends", () => node.http !== "" || node.ended, hangMs);
  if (!node.ended) await underLoad(node, driver, () => untilStruck(faults, node));
  if (rule.lasts !== "once") await pause(healMs);
  const mustEnd = faults.fired > 0 && rule.lasts === "for ever" && isCommit(rule);
  faults.disarm();
  const goesOn = await eventually("a node that takes messages or ends", async () => {
    return node.ended ? "ended" : await takeOne(node, "first").then(() => "takes");
  }, hangMs);
  if (goesOn === "takes") {
    assert.ok(!mustEnd, "no commit could be synced, and yet it takes messages");
    return assert.equal(await node.stop(), 0, node.stderr());
  }
  assert.ok(codesFor(rule).includes(await node.exited), `exit code ${await node.exited}: ${node.stderr()}`);
  await using again = await recoveries.start(setup);
  assertNothingMissing(again);
  assert.equal(await again.stop(), 0, again.stderr());
}

/** No alarm but this: of a cursor whose file was made and never written nobody can tell that it is new. */
function assertNothingMissing(node: Node): void {
  const alarms = node.log().filter(({ level, message }) =>
    level === "error" && !message.startsWith("its cursor could not be read")
  );
  assert.deepEqual(alarms, [], node.stderr());
}

/** And then a little longer. */
async function untilStruck(faults: Faults, node: Node): Promise<void> {
  const end = performance.now() + loadMs;
  while (faults.fired === 0 && !node.ended && performance.now() < end) await pause(5);
  await pause(loadMs / 4);
}

function codesFor({ does }: Rule): readonly number[] {
  return does === "ENOSPC" ? [70, 74] : [70];
}

/** A file whose write or sync has failed is not written or synced again. */
function assertNoSecondTry(made: readonly Made[]): void {
  const failed = new Set<string>();
  for (const { call, path, failed: fails } of made) {
    if (!path.startsWith("log/")) continue;
    if (call === "create" || call === "rename") failed.delete(path);
    if (call !== "write" && call !== "sync") continue;
    assert.ok(!failed.has(path), `${call} of ${path} after one that had failed`);
    if (fails) failed.add(path);
  }
}
