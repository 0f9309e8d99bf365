/** The lives of a node under faults: started again and again on one directory, loaded, examined; many of them in stretches. */
import assert from "node:assert";
import { Connection, getRequest } from "../e2e/connection.ts";
import { launchNode, type Node, type Setup } from "../e2e/node.ts";
import { arrived } from "../e2e/output.ts";
import { eventually, within } from "../e2e/waiting.ts";
import type { Driver } from "./driver.ts";
import type { Findings } from "./oracle.ts";
import type { Order, Outcome } from "./row.ts";

/** Small files, so that all kinds of ends and beginnings are met. */
export const smallFiles = `
[log]
segment = "1MiB"
retain_max = "4MiB"

[[destination]]
name = "out"
kind = "file"
roll_bytes = "300KiB"
keep_max = "0"

[[destination]]
name = "second"
kind = "file"
batch = 50
keep_max = "0"
`;

/** Starts nodes, and remembers how long the slowest took to its first 204. */
export class Recoveries {
  worstMs = 0;

  /** A node that has taken its first message. */
  async start(setup: Setup): Promise<Node> {
    const begin = performance.now();
    const node = await launchNode(setup);
    try {
      await node.ready();
      await takeOne(node, "first");
    } catch (problem) {
      await node[Symbol.asyncDispose]();
      throw problem;
    }
    this.note(performance.now() - begin);
    return node;
  }
  note(ms: number): void {
    this.worstMs = Math.max(this.worstMs, Math.round(ms));
  }
}

/** A message of a topic that the driver does not know of. */
export async function takeOne(node: Node, topic: string): Promise<void> {
  using line = await Connection.open(node.http);
  const { status, body } = await line.ask(getRequest(`/log?topic=${topic}&n=1`));
  assert.equal(status, 204, body);
}

/** Load for as long as `during` takes; all requests have ended when it resolves. */
export async function underLoad(node: Node, driver: Driver, during: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const offered = driver.offer(node.http, stop.signal);
  try {
    await during();
  } finally {
    stop.abort();
    await within("the end of all requests", offered, () => node.stderr());
  }
}

/** How a destination stands, of what `/status` says. */
interface Standing {
  readonly conserved: boolean;
  readonly position: number;
  readonly pending: number;
  readonly taken: number;
  readonly dead: number;
  readonly damaged: number;
}

/** Sees a message through that comes after all others, then the accounts of all destinations, then an orderly stop. */
export async function drain(node: Node, outs: readonly string[]): Promise<readonly Standing[]> {
  await takeOne(node, "fresh");
  for (const out of outs) {
    await arrived(out, "fresh").catch(async (problem) => {
      const { destinations } = await (await fetch(`http://${node.management}/status`)).json();
      throw new Error(`${problem.message}\n${JSON.stringify(destinations)}\n${node.stderr()}`);
    });
  }
  const standings = await eventually("nothing pending", async () => {
    const { destinations } = await (await fetch(`http://${node.management}/status`)).json();
    return destinations.every(({ pending }: Standing) => pending === 0) && destinations as Standing[];
  });
  for (const { conserved, dead, damaged } of standings) assert.deepEqual([conserved, dead, damaged], [true, 0, 0]);
  assert.equal(await node.stop(), 0, node.stderr());
  return standings;
}

/** Nobody was alarmed. */
export function assertCalm(node: Node): void {
  assert.ok(!node.log().some(({ level }) => level === "error"), node.stderr());
}

/** What came of several destinations, or of several runs. */
export function sumOf(all: readonly Findings[]): Findings {
  const sum = (name: keyof Findings) => all.reduce((total, findings) => total + findings[name], 0);
  return {
    arrived: sum("arrived"),
    copies: sum("copies"),
    lost: sum("lost"),
    unexpected: sum("unexpected"),
    altered: sum("altered"),
    inverted: sum("inverted"),
    torn: sum("torn"),
  };
}

/** The ordered runs in stretches of at most `most`, each with a directory and a seed of its own. */
export async function inStretches(
  order: Order,
  most: number,
  stretch: (order: Order) => Promise<Outcome>,
): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  let done = 0;
  let goesOn = true;
  while (done < order.runs && goesOn) {
    const before = done;
    const goOn = (within: number) => goesOn = order.goOn(before + within);
    const seed = order.seed + outcomes.length;
    const outcome = await stretch({ runs: Math.min(most, order.runs - done), seed, goOn });
    outcomes.push(outcome);
    done += outcome.runs;
  }
  return together(outcomes);
}

export function together(outcomes: readonly Outcome[]): Outcome {
  return {
    runs: outcomes.reduce((sum, { runs }) => sum + runs, 0),
    accepted: outcomes.reduce((sum, { accepted }) => sum + accepted, 0),
    findings: sumOf(outcomes.map(({ findings }) => findings)),
    worstRecoveryMs: Math.max(0, ...outcomes.map(({ worstRecoveryMs }) => worstRecoveryMs)),
  };
}
