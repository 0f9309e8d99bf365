import { startKafka } from "./kafka.ts";
import kind from "../../adaptors/kafka/mod.ts";
import { defaults } from "../../src/config/options.ts";
import { realWorld } from "../../src/os/deno.ts";
const world = realWorld();
const k = await startKafka({ nodes: 3 });
const open = (o: any) => kind.open({ ...defaults(kind.options), brokers: k.brokers, ...o } as any, { destination: "x", dir: "/x", world, position: 0 as any, notice: (t) => console.log("notice", t) }, new AbortController().signal);
try {
  await k.createTopic("f", { partitions: 6 });
  for (const timeout of [30000, 6000]) {
  const mk = (n: number) => Array.from({ length: 100 }, (_, i) => ({ id: `n-1-${n * 100 + i}`, position: i as any, body: new Uint8Array(100), message: { topic: "f", key: "k" + i % 13, timestamp: Date.now(), data: new Uint8Array(), dataIsJson: false } }));
  let a: any, opened = 0, gap = 0, last = performance.now(), n = 0; const t0 = performance.now(); let frozen = false;
  while (performance.now() - t0 < 50_000) {
    if (!frozen && performance.now() - t0 > 3000) { frozen = true; await k.kill(0, "SIGSTOP"); console.log("frozen"); }
    try { if (!a) { opened++; a = await open({ timeout }); } const r = await a.send(mk(n), new AbortController().signal); if (r.again.length) { console.log("again", r.again.length, r.trouble); await new Promise(r => setTimeout(r, 200)); continue; } n++; const g = performance.now() - last; if (g > gap) gap = g; last = performance.now(); }
    catch (e: any) { console.log(((performance.now() - t0) / 1000).toFixed(1), e.message); await a?.close(); a = undefined; await new Promise(r => setTimeout(r, 500)); }
  }
  await a?.close();
  console.log("timeout", timeout, "batches", n, "longest gap", Math.round(gap), "opened", opened, "since last", Math.round(performance.now() - last));
  await k.kill(0, "SIGCONT"); await k.serves(0); await new Promise(r => setTimeout(r, 5000));
  }
  const got = await k.read("f"); console.log("in topic", got.length, "distinct", new Set(got.map((g) => g.headers.get("id"))).size);
} finally { await k.stop(); }
