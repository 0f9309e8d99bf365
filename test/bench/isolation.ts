/** What destinations in trouble cost those beside them: nothing, it should be. */
import { boundsOf, roundsFor } from "./bounds.ts";
import type { Bench, Case, Result } from "./case.ts";
import {
  deliveryFigures,
  type DeliveryRound,
  deliveryRound,
  destination,
  messagesPerRequest,
  prepareLoad,
} from "./delivery.ts";
import { median, rounded, shown, shownSpread } from "./figures.ts";
import type { Load } from "./load.ts";
import { copyLog, makeLog } from "./large.ts";
import { pause } from "./process.ts";
import { Server } from "./server.ts";
import { startTrouble, type Trouble, troubles } from "./trouble.ts";

const well = `[[destination]]\nname = "${destination}"\nkind = "file"\n`;
/** The whole log waits for it. */
const troubled = (port: number) =>
  `[[destination]]\nname = "trouble"\nkind = "webhook"\nurl = "http://127.0.0.1:${port}/"\nfrom = "oldest"\n`;
const waitingMax = 200_000;
/** Many short rounds tell more than few long ones: a stall spoils one of them, not a third of all. */
const roundSeconds = 1;
const roundsEach = 8;
/** For what the round before has left to the disk. */
const settleMs = 200;
const idleMs = 3000;
/** The promise: no more than this part of the throughput. */
const promised = 0.05;

export const isolation: Case = {
  name: "isolation",
  summary:
    "100 lines of NDJSON a POST with a file destination, and beside it a dead, slow (a byte a second), frozen or " +
    `lying one for whom a log waits; in turn with the same without it, ${roundsEach} rounds of ${roundSeconds} s for each of --rounds`,
  runtimes: "each",
  hasParts: true,
  run: measure,
};

/** A server, what is beside its file destination, and what its rounds found. */
interface Side {
  readonly name: Trouble | "alone";
  readonly server: Server;
  readonly rounds: DeliveryRound[];
}

async function measure(bench: Bench): Promise<Result[]> {
  const { dir, options, note } = bench;
  const log = `${dir}/log`;
  const waiting = Math.min(options.messages, waitingMax);
  note(`isolation makes a log of ${shown(waiting)} messages`);
  await makeLog(log, waiting, "load");
  const load = await prepareLoad(dir);
  await using all = new AsyncDisposableStack();
  const sides: Side[] = [await startSide(bench, { log, name: "alone", config: well })];
  all.use(sides[0]!.server);
  for (const name of chosen(options.cases)) {
    const receiver = all.use(await startTrouble(name));
    const side = await startSide(bench, { log, name, config: well + troubled(receiver.port) });
    sides.push({ ...side, server: all.use(side.server) });
  }
  for (const { server } of sides) await deliveryRound(server, load, { bench, seconds: roundSeconds });
  for (const side of sides) side.rounds.length = 0;
  for (let number = 0; number < options.rounds * roundsEach; number++) {
    await oneRound(number % 2 === 0 ? sides : sides.toReversed(), load, bench);
    note(`isolation round ${number + 1}: ${lastRatios(sides)} × without`);
  }
  await pause(idleMs);
  return sides.slice(1).map((side) => resultOf(side, sides[0]!));
}

function chosen(cases: readonly string[]): readonly Trouble[] {
  if (cases.length === 0 || cases.includes(isolation.name)) return troubles;
  const named = troubles.filter((trouble) => cases.includes(`${isolation.name}/${trouble}`));
  if (named.length === 0) throw new Error(`The parts of isolation are ${troubles.join(", ")}`);
  return named;
}

async function startSide(
  { dir, runtime, machine }: Bench,
  { log, name, config }: { readonly log: string; readonly name: Side["name"]; readonly config: string },
): Promise<Side> {
  await copyLog(log, `${dir}/${name}/data`);
  const server = await Server.start(runtime, { dir: `${dir}/${name}`, config, core: machine.pins.server });
  return { name, server, rounds: [] };
}

async function oneRound(sides: readonly Side[], load: Load, bench: Bench): Promise<void> {
  for (const { server, rounds } of sides) {
    await pause(settleMs);
    try {
      rounds.push(await deliveryRound(server, load, { bench, seconds: roundSeconds }));
    } catch (problem) {
      throw server.explained(problem);
    }
  }
}

function lastRatios([alone, ...others]: readonly Side[]): string {
  const last = alone!.rounds.at(-1)!.perSecond;
  return others.map(({ name, rounds }) => `${name} ${shown(rounds.at(-1)!.perSecond / last)}`).join(", ");
}

/** Of all rounds' ratios: the middle, and between which two it lies with 95 %. */
function ratioOf(beside: Side, alone: Side, name: keyof DeliveryRound) {
  const ratios = beside.rounds.map((round, number) => round[name] / alone.rounds[number]![name]);
  return { ratio: rounded(median(ratios)), ...boundsOf(ratios), rounds_needed: roundsFor(ratios, promised) };
}

/** Of all rounds together: rounds differ by what the disk and other guests do, and their sum much less. */
function cpuOfAll({ rounds }: Side): number {
  const sum = (name: "cpuSeconds" | "messages") => rounds.reduce((sum, round) => sum + round[name], 0);
  return sum("cpuSeconds") / sum("messages");
}

function resultOf(side: Side, alone: Side): Result {
  const to = (name: keyof DeliveryRound) => ratioOf(side, alone, name);
  const ratios = {
    delivered: to("perSecond"),
    intake: to("intakePerSecond"),
    p99: to("p99"),
    cpu: to("cpuPerMillion"),
  };
  const more = side.server.child.memory().pssBytes - alone.server.child.memory().pssBytes;
  const figures = deliveryFigures(side.rounds, roundSeconds);
  const { delivered, intake, p99, cpu } = ratios;
  const cpuWhole = rounded(cpuOfAll(side) / cpuOfAll(alone));
  const between = ({ ratio, low, high }: typeof delivered) => `${ratio} [${low}–${high}]`;
  return {
    part: side.name,
    figures: {
      ...figures,
      messages_per_request: messagesPerRequest,
      ratios,
      cpu_of_all_rounds: cpuWhole,
      more_pss_bytes: more,
      references: [{ name: "without it", ...deliveryFigures(alone.rounds, roundSeconds), ratio: delivered.ratio }],
    },
    row: {
      result: `${shownSpread(figures.messages_per_s)} messages/s beside a ${side.name} one`,
      cpu: `${figures.cpu_s_per_million}`,
      beside: `delivered ${between(delivered)} × without it, intake ${between(intake)} ×, p99 ${between(p99)} ×, CPU ${
        between(cpu)
      } ×, of all rounds together ${cpuWhole} ×; ${
        rounded(more / 2 ** 20)
      } MiB more; ${delivered.rounds_needed} rounds tell 5 %`,
    },
  };
}
