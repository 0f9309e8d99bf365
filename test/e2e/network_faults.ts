/**
 * The examination of a destination's network: the executable delivers through a proxy on which everything goes wrong in turn, and
 * to a file beside it, which must not notice.
 */
import assert from "node:assert/strict";
import { type Fault, faults, type Proxy, startProxy } from "../services/proxy.ts";
import { type Node, startNode } from "./node.ts";
import { readOutput } from "./output.ts";
import { eventually, pause } from "./waiting.ts";

/** The other side of the proxy. */
export interface Peer extends AsyncDisposable {
  readonly port: number;
  /** Where the proxy has to be, because the peer tells its clients so. */
  readonly proxyPort?: number;
  /** What stands below `[[destination]]` for it, but for its name, when it is to be found at 127.0.0.1 and this port. */
  config(port: number): string;
  /** The payloads there, in order; copies are allowed. They are `{"n":0}` and so on. */
  arrived(): Promise<readonly string[]>;
}
export interface FaultOptions {
  /** To be put behind the names of tests that are ignored. */
  readonly lacks?: string;
  /** Faults that mean nothing to it, or that nobody who acknowledges nothing can survive. */
  readonly without?: readonly Fault[];
}

const perStep = 150;
/** A destination that has failed for a while waits up to half a minute. */
const recoveryMs = 120_000;
/** Sockets that are being closed, and files of the log that come and go. */
const spareHandles = 12;

export function examineFaults(name: string, begin: () => Promise<Peer>, options: FaultOptions = {}): void {
  const { lacks = "", without = [] } = options;
  for (const fault of faults.filter((one) => !without.includes(one))) {
    Deno.test({
      name:
        `P2 P6 P14 ${name}, fault "${fault}": nothing is lost, order holds, no handle stays open, its neighbour has everything${lacks}`,
      ignore: lacks !== "",
      async fn() {
        await using peer = await begin();
        await using proxy = await startProxy(peer.port, peer.proxyPort);
        const deliver = `[[destination]]\nname = "far"\n${peer.config(proxy.port)}\ndeadline = "5s"\n`;
        await using node = await startNode({
          config: `${deliver}[[destination]]\nname = "near"\nkind = "file"\ndir = "near"\n`,
        });
        await examine({ fault, node, proxy, peer });
      },
    });
  }
}

interface Examination {
  readonly fault: Fault;
  readonly node: Node;
  readonly proxy: Proxy;
  readonly peer: Peer;
}

async function examine({ fault, node, proxy, peer }: Examination): Promise<void> {
  await send(node, 0);
  await eventually("everything before the fault", async () => (await counted(peer)) === perStep, recoveryMs);
  const handles = handlesOf(node);
  proxy.fault = fault;
  for (let step = 1; step <= 4; step++) {
    await send(node, step * perStep);
    await pause(500);
  }
  await eventually(
    "everything in the file",
    async () => (await readOutput(`${node.dir}/near`, "t")).length === 5 * perStep,
  );
  proxy.fault = "none";
  await send(node, 5 * perStep);
  await eventually("everything after the fault", async () => (await counted(peer)) === 6 * perStep, recoveryMs);
  const numbers = (await peer.arrived()).map((text) => JSON.parse(text).n as number);
  const firsts = [...new Set(numbers)];
  assert.deepEqual(firsts, Array.from({ length: 6 * perStep }, (_, n) => n));
  await eventually(
    "everything in the file",
    async () => (await readOutput(`${node.dir}/near`, "t")).length === 6 * perStep,
  );
  await eventually("handles to be given back", () => handlesOf(node) <= handles + spareHandles);
  assert.equal(await node.stop(), 0);
}

async function counted(peer: Peer): Promise<number> {
  return new Set(await peer.arrived()).size;
}

async function send({ http }: Node, first: number): Promise<void> {
  const lines = Array.from({ length: perStep }, (_, at) => `{"topic":"t","data":{"n":${first + at}}}\n`);
  const headers = { "content-type": "application/x-ndjson" };
  const response = await fetch(`http://${http}/log`, { method: "POST", headers, body: lines.join("") });
  assert.equal(response.status, 204, await response.text());
}

function handlesOf({ pid }: Node): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}
