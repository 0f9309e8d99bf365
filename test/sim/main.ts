/**
 * `deno task sim`: runs seeds of the simulated node. `deno task sim 1234` replays one; `--seeds N`, `--from N`, `--minutes N`.
 * Exit code 1 when a promise was broken, with the seed that shows it.
 */
import { runSeed } from "./seed.ts";

const options = parse(Deno.args);
const begin = performance.now();
let count = 0;
let accepted = 0;
let copies = 0;
for (let seed = options.from; more(seed); seed++) {
  const story = await runSeed(seed);
  count++;
  accepted += story.accepted;
  copies += story.copies;
  if (story.violations.length > 0) {
    console.log(`seed ${seed}:\n  ${story.violations.join("\n  ")}\nreplay: deno task sim ${seed}`);
    Deno.exit(1);
  }
}
const seconds = ((performance.now() - begin) / 1000).toFixed(1);
console.log(
  `${count} seeds from ${options.from}, ${accepted} messages accepted, 0 lost, ${copies} copies, ${seconds} s`,
);

interface SimOptions {
  readonly from: number;
  readonly seeds: number;
  readonly ms: number;
}

function more(seed: number): boolean {
  return seed < options.from + options.seeds && performance.now() - begin < options.ms;
}

function parse(args: readonly string[]): SimOptions {
  if (args[0] !== undefined && /^\d+$/.test(args[0])) return { from: Number(args[0]), seeds: 1, ms: Infinity };
  const value = (name: string) => args.includes(name) ? Number(args[args.indexOf(name) + 1]) : undefined;
  const minutes = value("--minutes");
  const seeds = value("--seeds") ?? (minutes === undefined ? 1000 : Infinity);
  return { from: value("--from") ?? 0, seeds, ms: minutes === undefined ? Infinity : minutes * 60_000 };
}
