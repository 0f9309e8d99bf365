/** What the program looks at by itself while it runs: backlogs every few seconds, conservation every minute (P2, P13). */
import type { World } from "../os/world.ts";
import { announce, BacklogWatch } from "./backlog.ts";
import type { Journal } from "./journal.ts";
import { destinationStatus, type NodeFacts } from "./status.ts";

const roundMs = 5000;
const roundsPerCheck = 12;

export interface RoundsParts {
  readonly world: World;
  readonly facts: () => NodeFacts;
  readonly journal: Journal;
  readonly reserveBytes: number;
}

/** Until `signal` aborts. */
export async function goRounds(
  { world, facts, journal, reserveBytes }: RoundsParts,
  signal: AbortSignal,
): Promise<void> {
  const backlogs = new BacklogWatch(reserveBytes);
  for (let round = 1; !signal.aborted; round++) {
    await world.clock.sleep(roundMs, signal);
    if (signal.aborted) return;
    for (const backlog of backlogs.look(facts(), world.clock.elapsed())) {
      journal.say(backlog.share >= 0.9 ? "error" : "warning", announce(backlog), { destination: backlog.name });
    }
    if (round % roundsPerCheck === 0) checkConservation(facts(), journal);
  }
}

/** Every position has exactly one verdict, or something is wrong with us. */
export function checkConservation(facts: NodeFacts, journal: Journal): void {
  for (const destination of facts.destinations) {
    const { name, conserved, start, position } = destinationStatus(facts, destination);
    if (conserved) continue;
    journal.say("error", `its verdicts do not add up from ${start} to ${position}; please report this`, {
      destination: name,
    });
  }
}
