/**
 * How often a destination is waited for: the executable delivers a backlog through a proxy that keeps everything back for a while,
 * and counts how often one side waited for the other. Counted, as times differ from machine to machine.
 */
import assert from "node:assert/strict";
import { startProxy } from "../services/proxy.ts";
import { type Node, startNode } from "./node.ts";
import { eventually } from "./waiting.ts";

/** The other side of the proxy. */
export interface DelayedPeer extends AsyncDisposable {
  readonly port: number;
  /** Where the proxy has to be, because the peer tells its clients so. */
  readonly proxyPort?: number;
  /** What stands below `[[destination]]` for it, but for its name, when it is to be found at 127.0.0.1 and this port. */
  config(port: number): string;
}

const delayMs = 25;
const perRequest = 2000;
const requests = 20;
const total = perRequest * requests;
/** At 50 ms there and back so many round trips are as long as that many messages may take at 20 000 a second. */
const most = total / 20_000 / (2 * delayMs / 1000);
const limitMs = 120_000;

export function examineRoundTrips(
  name: string,
  begin: () => Promise<DelayedPeer>,
  { lacks = "" }: { readonly lacks?: string } = {},
): void {
  Deno.test({
    name: `M4 ${name}: 50 ms there and back would not keep it below 20 000 messages of 200 bytes a second${lacks}`,
    ignore: lacks !== "",
    async fn() {
      await using peer = await begin();
      await using proxy = await startProxy(peer.port, peer.proxyPort);
      proxy.delayMs = delayMs;
      const config = `[[destination]]\nname = "far"\n${peer.config(proxy.port)}\n`;
      await using node = await startNode({ config });
      await order(node, "pause");
      for (let i = 0; i < requests; i++) await send(node);
      await order(node, "resume");
      await eventually("everything there", async () => await pendingOf(node) === 0, limitMs);
      assert.ok(proxy.turns <= most, `${proxy.turns} round trips for ${total} messages, and ${most} at most`);
      assert.equal(await node.stop(), 0);
    },
  });
}

async function order({ management }: Node, what: "pause" | "resume"): Promise<void> {
  const headers = { "content-type": "application/json" };
  const url = `http://${management}/destinations/far/${what}`;
  const answer = await fetch(url, { method: "POST", headers, body: "{}" });
  assert.equal(answer.status, 200, await answer.text());
}

async function send({ http }: Node): Promise<void> {
  const line = `${JSON.stringify({ topic: "t", data: { text: "x".repeat(189) } })}\n`;
  const headers = { "content-type": "application/x-ndjson" };
  const answer = await fetch(`http://${http}/log`, { method: "POST", headers, body: line.repeat(perRequest) });
  assert.equal(answer.status, 204, await answer.text());
}

async function pendingOf({ management }: Node): Promise<number> {
  return (await (await fetch(`http://${management}/status`)).json()).destinations[0].pending;
}
