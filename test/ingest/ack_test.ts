import assert from "node:assert/strict";
import type { Position } from "../../src/log/mod.ts";
import type { Answer } from "../../src/ingest/http.ts";
import { openNode, problemIn, request } from "./fakes.ts";

const bus = { name: "bus", required: true, confirms: true, filter: undefined };
const web = { name: "web", required: true, confirms: true, filter: { topic: "web.*" } };
const udp = { name: "udp", required: false, confirms: false, filter: undefined };
const all = { ack: ["memory", "disk", "delivered"] };
const at = (position: number) => position as Position;

Deno.test("M1.8 an acknowledgement that the listener does not give is refused, never weakened", async () => {
  const { ask, log } = openNode();
  for (const ack of ["memory", "delivered", "delivered:bus", "both"]) {
    const answer = await ask(`/log?topic=t&ack=${ack}`);
    assert.deepEqual([answer.status, problemIn(answer).field], [400, "ack"]);
    const byHeader = await ask("/log?topic=t", { headers: { "sparkngin-ack": ack } });
    assert.equal(byHeader.status, 400);
  }
  assert.equal(log.entries.length, 0);
});

Deno.test("M1.8 P1 memory answers before the sync, and says so", async () => {
  const { handle, log } = openNode(all);
  const answer = await handle(request("/log?topic=t&ack=memory"));
  assert.deepEqual([answer.status, answer.headers["sparkngin-ack"]], [204, "memory"]);
  assert.equal(log.entries.length, 1);
  log.commit();
});

Deno.test("M1.8 delivered waits for every required destination that takes the message", async () => {
  const { handle, log, deliveries, table, clock } = openNode(all, [bus, web, udp]);
  const answer = Promise.resolve(handle(request("/log?topic=web.shop&ack=delivered")));
  assert.deepEqual([0, 1, 2].map((number) => table.destination(number).get("waiters")), [1, 1, 0]);
  log.commit();
  deliveries.hear(0, { kind: "reached", position: at(1) });
  let settled = false;
  void answer.then(() => settled = true);
  await clock.run(10);
  assert.equal(settled, false);
  deliveries.hear(1, { kind: "reached", position: at(1) });
  const { status, headers } = await answer;
  assert.deepEqual([status, headers["sparkngin-ack"]], [204, "delivered"]);
  assert.deepEqual([0, 1].map((number) => table.destination(number).get("waiters")), [0, 0]);
});

Deno.test("M1.8 after the deadline the answer is 202 with the level reached and the id", async () => {
  const { handle, log, clock, table } = openNode(all, [bus]);
  const answer = Promise.resolve(handle(request("/log?topic=t", { headers: { "sparkngin-ack": "delivered:bus" } })));
  log.commit();
  const { status, headers, body } = (await clock.run<Answer>(answer))!;
  assert.deepEqual([status, headers["sparkngin-ack"]], [202, "disk"]);
  assert.deepEqual(JSON.parse(body as string), { ids: ["9f3c01aa27de4410-3-0"], ack: "disk" });
  assert.equal(table.destination(0).get("waiters"), 0);
});

Deno.test("M1.8 a message that the destination refuses for good is 422, with its line and the reason", async () => {
  const { handle, log, deliveries } = openNode(all, [bus]);
  const body = '{"topic":"t","data":1}\n{"topic":"t","data":2}';
  const answer = Promise.resolve(handle(request("/log?ack=delivered", { body })));
  for (let i = 0; i < 10; i++) await Promise.resolve();
  log.commit();
  deliveries.hear(0, { kind: "dead", position: at(1), reason: "too large" });
  deliveries.hear(0, { kind: "reached", position: at(2) });
  const problem = problemIn(await answer);
  assert.deepEqual([problem.status, problem.line, problem.type], [422, 2, "/errors/undeliverable"]);
  assert.match(String(problem.detail), /too large/);
});

Deno.test("M1.8 a destination that cannot confirm, is not there, or filters the message out is a 400", async () => {
  const { ask, log } = openNode(all, [web, udp]);
  for (const ack of ["delivered:udp", "delivered:nobody", "delivered:web", "delivered"]) {
    const answer = await ask(`/log?topic=app&ack=${ack}`);
    assert.deepEqual([answer.status, problemIn(answer).field], [400, "ack"], ack);
  }
  assert.equal(log.entries.length, 0);
});

Deno.test("P20 a stop keeps nobody waiting for a delivery", async () => {
  const { handle, log, deliveries } = openNode(all, [bus]);
  const answer = Promise.resolve(handle(request("/log?topic=t&ack=delivered")));
  log.commit();
  deliveries.stop();
  assert.equal((await answer).status, 202);
});
