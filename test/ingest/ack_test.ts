import assert from "node:assert/strict";
import type { Position } from "../../src/log/mod.ts";
import { sampleOf } from "../../src/message/sample.ts";
import type { Answer } from "../../src/ingest/http.ts";
import { openNode, problemIn, request } from "./fakes.ts";

const bus = { name: "bus", required: true, confirms: true, filter: undefined, sample: 1 };
const web = { name: "web", required: true, confirms: true, filter: { topic: "web.*" }, sample: 1 };
const udp = { name: "udp", required: false, confirms: false, filter: undefined, sample: 1 };
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

Deno.test("M1.8 M4.16 delivered:NAME of a message that the destination's sample leaves out is a 400 that says so; of another it waits", async () => {
  const { ask, handle, log, deliveries } = openNode(all, [{ ...web, sample: 0.5 }, bus]);
  const takes = sampleOf(0.5)!;
  const answers: [boolean, number, string][] = [];
  for (const id of Array.from({ length: 12 }, (_, i) => `order-${i}`)) {
    const asked = request(`/log?topic=web.a&id=${id}&ack=delivered:web`);
    const answer = Promise.resolve(handle(asked));
    log.commit();
    deliveries.hear(0, { kind: "reached", position: log.next });
    const { status, body } = await answer;
    answers.push([takes(id), status, status === 400 ? String(JSON.parse(body as string).detail) : ""]);
  }
  const left = 'Destination "web" does not take this message: see its sample';
  for (const [takes, status, detail] of answers) assert.deepEqual([status, detail], takes ? [204, ""] : [400, left]);
  assert.deepEqual(new Set(answers.map(([takes]) => takes)).size, 2);
  const filtered = problemIn(await ask("/log?topic=t&ack=delivered:web"));
  assert.match(String(filtered.detail), /see its filter/);
});

Deno.test("M1.8 M4.16 an id that is still to be made decides, too: what was said holds of what was stored", async () => {
  const { handle, log, deliveries } = openNode(all, [{ ...bus, sample: 0.5 }]);
  const takes = sampleOf(0.5)!;
  let stored = 0;
  for (let i = 0; i < 30; i++) {
    const before = log.next;
    // What is refused is not stored, so the next one would have the same id: one in between moves on.
    void handle(request("/log?topic=t"));
    const id = `9f3c01aa27de4410-3-${before + 1}`;
    const answer = Promise.resolve(handle(request("/log?topic=t&ack=delivered:bus")));
    log.commit();
    deliveries.hear(0, { kind: "reached", position: log.next });
    assert.equal((await answer).status, takes(id) ? 204 : 400, id);
    stored += takes(id) ? 1 : 0;
  }
  assert.ok(stored > 0 && stored < 30);
});

Deno.test("M1.8 M4.16 delivered waits for no destination whose sample leaves all of a request out", async () => {
  const takes = sampleOf(0.5)!;
  const id = Array.from({ length: 20 }, (_, i) => `order-${i}`).find((one) => !takes(one))!;
  const { ask, table } = openNode(all, [{ ...bus, sample: 0.5 }]);
  const answer = await ask(`/log?topic=t&id=${id}&ack=delivered`);
  assert.deepEqual([answer.status, problemIn(answer).field], [400, "ack"]);
  assert.equal(table.destination(0).get("waiters"), 0);
});
