/** `sparkngin bench` against a node. */
import assert from "node:assert";
import { runCommand, startNode } from "./node.ts";
import { arrived } from "./output.ts";

Deno.test("M8.1 bench counts what was taken and how long that took, both ways", async () => {
  await using node = await startNode();
  let messages = 0;
  for (const more of [["--rate", "100"], ["--batch", "5", "--connections", "2"]]) {
    const ended = await runCommand(["bench", "--url", node.http, "--duration", "500ms", "--json", ...more]);
    assert.strictEqual(ended.code, 0, ended.stderr);
    const result = JSON.parse(ended.stdout);
    assert.ok(result.requests > 0 && result.refused === 0 && result.broken === 0, ended.stdout);
    assert.strictEqual(
      result.histogram.reduce((sum: number, { count }: { count: number }) => sum + count, 0),
      result.requests,
    );
    const { p50, p99, max } = result.latency_ms;
    assert.ok(p50 > 0 && p50 <= p99 && p99 <= max, ended.stdout);
    messages += result.messages;
  }
  const found = await arrived(`${node.dir}/data/out`, "bench", messages);
  assert.strictEqual(found.length, messages);
  assert.strictEqual(found[0]!.data!.length, 200);
});

Deno.test("bench says what is in its way", async () => {
  await using node = await startNode();
  const wrong = await runCommand(["bench", "--url", node.http, "--topic", "no/topic"]);
  assert.strictEqual(wrong.code, 64);
  assert.match(wrong.stderr, /Not taken: it answered 400 /);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const nobody = await runCommand(["bench", "--url", `127.0.0.1:${listener.addr.port}`]);
  assert.strictEqual(nobody.code, 69);
  assert.match(nobody.stderr, /^Cannot reach http:\/\/127\.0\.0\.1:\d+: nothing listens there/);
});
