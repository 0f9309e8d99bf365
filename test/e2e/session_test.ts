/** The first minutes with Sparkngin, as the README tells them. */
import assert from "node:assert";
import { startNode } from "./node.ts";
import { arrived } from "./output.ts";
import { eventually } from "./waiting.ts";

Deno.test("M1: without configuration, the pasted curl of the greeting arrives in data/out", async () => {
  await using node = await startNode();
  const url = await eventually("the greeting", () => /curl -i '([^']+)'/.exec(node.stdout())?.[1]);
  const answer = await fetch(url);
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("sparkngin-ack"), "disk");
  await answer.body?.cancel();
  const [message] = await arrived(`${node.dir}/data/out`, "hello");
  assert.equal(message!.data, '{"name":"world"}');
  assert.equal(message!.fields.level, "info");
});
