import assert from "node:assert/strict";
import { Deliveries } from "../../src/ingest/deliveries.ts";
import type { Position } from "../../src/log/mod.ts";
import { SimClock } from "../sim/clock.ts";

const at = (position: number) => position as Position;

Deno.test("M3.2 who waits for messages that an operator skips is not told that they were delivered", async () => {
  const clock = new SimClock();
  const receivers = [{ name: "bus", required: true, confirms: true, filter: undefined }];
  const deliveries = new Deliveries({ receivers, clock, deadlineMs: 1000, setWaiters: () => {} });
  const [before, across, behind] = [
    deliveries.wait([0], at(0), 2),
    deliveries.wait([0], at(2), 4),
    deliveries.wait([0], at(6), 1),
  ];
  deliveries.hear(0, { kind: "reached", position: at(2) });
  deliveries.hear(0, { kind: "skipped", from: at(3), to: at(6), reason: "skipped by command" });
  assert.deepEqual(await clock.run(before), { kind: "delivered" });
  assert.deepEqual(await clock.run(across), {
    kind: "dead",
    name: "bus",
    position: 3,
    reason: "skipped by command",
  });
  deliveries.hear(0, { kind: "reached", position: at(7) });
  assert.deepEqual(await clock.run(behind), { kind: "delivered" });
});
