/** What an operator does with a node under faults: looks how it stands, pauses and rewinds destinations, drains and stops it. */
import assert from "node:assert";
import type { Node } from "../e2e/node.ts";
import { arrived } from "../e2e/output.ts";
import { eventually } from "../e2e/waiting.ts";
import { takeOne } from "./life.ts";

/** How a destination stands, of what `/status` says. */
export interface Standing {
  readonly name: string;
  readonly position: number;
  readonly pending: number;
  readonly dead: number;
  readonly damaged: number;
  readonly conserved: boolean;
}

export async function standings({ management }: Node): Promise<readonly Standing[]> {
  const answer = await fetch(`http://${management}/status`);
  return (await answer.json()).destinations;
}

/** Tells the destination to `pause`, `resume` or the like, and sees it done. */
export async function tell({ management }: Node, destination: string, what: string, details = {}): Promise<void> {
  const headers = { "content-type": "application/json" };
  const url = `http://${management}/destinations/${destination}/${what}`;
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(details) });
  assert.equal(answer.status, 200, await answer.text());
}

/** Sees a message through to each of these directories, by the names of their destinations, until nothing waits for them. */
export async function drainTo(outputs: Readonly<Record<string, string>>, node: Node): Promise<void> {
  await eventually("a fresh message to be taken", () => takeOne(node, "fresh").then(() => true));
  for (const dir of Object.values(outputs)) await arrived(dir, "fresh");
  const all = await eventually("nothing pending", async () => {
    const found = (await standings(node)).filter(({ name }) => name in outputs);
    return found.every(({ pending }) => pending === 0) && found;
  });
  for (const { name, conserved, dead, damaged } of all) {
    assert.deepEqual([conserved, dead, damaged], [true, 0, 0], `destination ${name}`);
  }
}

/** The program gives itself 5 s to stop; who waits for the disk or for a destination never ends. Between is room for a busy machine. */
export const stopMsMax = 30_000;

/** Asks it to stop, which must end well and in time; how long it took, in ms. */
export async function stopInTime(node: Node): Promise<number> {
  const begin = performance.now();
  assert.equal(await node.stop(), 0, node.stderr());
  const tookMs = Math.round(performance.now() - begin);
  assert.ok(tookMs <= stopMsMax, `The stop took ${tookMs} ms: ${node.stderr()}`);
  return tookMs;
}
