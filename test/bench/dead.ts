/** What a destination costs the others that has been dead for long: nothing, it should be. */
import type { Bench, Case, Result } from "./case.ts";
import { ratioOf } from "./contender.ts";
import {
  deliveryFigures,
  type DeliveryRound,
  deliveryRound,
  destination,
  prepareLoad,
  warmUpSeconds,
} from "./delivery.ts";
import { rounded, shown, shownSpread } from "./figures.ts";
import { copyLog, makeLog } from "./large.ts";
import { freePort } from "./peer.ts";
import { pause } from "./process.ts";
import { Server } from "./server.ts";

const well = `[[destination]]\nname = "${destination}"\nkind = "file"\n`;
/** Nobody listens there, and the whole log waits for it. */
const dead = (port: number) =>
  `[[destination]]\nname = "dead"\nkind = "webhook"\nurl = "http://127.0.0.1:${port}/"\nfrom = "oldest"\n`;
const idleMs = 3000;
/** For what the round before has left to the disk. */
const settleMs = 500;

export const deadDestination: Case = {
  name: "dead-destination",
  summary:
    "100 lines of NDJSON a POST with a file destination, and beside it a dead one for whom the log (--messages) waits; " +
    "the same log without that one",
  runtimes: "each",
  run: async (bench) => [await measure(bench)],
};

async function measure(bench: Bench): Promise<Result> {
  const { dir, options, runtime, machine, note } = bench;
  const log = `${dir}/log`;
  note(`dead-destination makes a log of ${shown(options.messages)} messages`);
  await makeLog(log, options.messages, "load");
  const load = await prepareLoad(dir);
  const start = async (name: string, config: string) => {
    await copyLog(log, `${dir}/${name}/data`);
    return await Server.start(runtime, { dir: `${dir}/${name}`, config, core: machine.pins.server });
  };
  await using one = await start("one", well);
  await using two = await start("two", well + dead(freePort()));
  const [alone, beside]: [DeliveryRound[], DeliveryRound[]] = [[], []];
  const pairs = [[two, beside], [one, alone]] as const;
  try {
    for (const [server] of pairs) {
      await deliveryRound(server, load, { bench, seconds: Math.min(warmUpSeconds, options.seconds) });
    }
    for (let number = 0; number < options.rounds; number++) {
      for (const [server, rounds] of number % 2 === 0 ? pairs : pairs.toReversed()) {
        await pause(settleMs);
        rounds.push(await deliveryRound(server, load, { bench, seconds: options.seconds }));
      }
      note(
        `dead-destination round ${number + 1}: ${shown(beside.at(-1)!.perSecond / alone.at(-1)!.perSecond)} × without`,
      );
    }
    await pause(idleMs);
    const waiting = (await two.status()).destinations.find(({ name }) => name === "dead")!.pending;
    if (waiting < options.messages) throw new Error(`Only ${waiting} messages wait for the dead destination`);
    const more = two.child.memory().pssBytes - one.child.memory().pssBytes;
    return resultOf({ alone, beside, waiting, more }, options.seconds);
  } catch (problem) {
    throw two.explained(problem);
  }
}

interface Found {
  readonly alone: readonly DeliveryRound[];
  readonly beside: readonly DeliveryRound[];
  readonly waiting: number;
  /** Bytes that it takes to have it. */
  readonly more: number;
}

function resultOf({ alone, beside, waiting, more }: Found, seconds: number): Result {
  const values = (rounds: readonly DeliveryRound[], name: keyof DeliveryRound) => rounds.map((round) => round[name]);
  const to = (name: keyof DeliveryRound) => ratioOf(values(beside, name), values(alone, name));
  const figures = deliveryFigures(beside, seconds);
  const [intake, cpu] = [to("intakePerSecond"), to("cpuPerMillion")];
  const reference = {
    name: "without it",
    ...deliveryFigures(alone, seconds),
    ...to("perSecond"),
    intake_ratio: intake.ratio,
    cpu_ratio: cpu.ratio,
  };
  return {
    figures: { ...figures, waiting, more_pss_bytes: more, references: [reference] },
    row: {
      result: `${shownSpread(figures.messages_per_s)} messages/s with ${shown(waiting)} waiting for a dead one`,
      cpu: `${figures.cpu_s_per_million}`,
      beside: `${reference.ratio} × without it (intake ${intake.ratio} ×, CPU ${cpu.ratio} ×); ${
        rounded(more / 2 ** 20)
      } MiB more`,
    },
  };
}
