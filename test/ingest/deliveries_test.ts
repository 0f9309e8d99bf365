import assert from "node:assert/strict";
import { Deliveries } from "../../src/ingest/deliveries.ts";
import type { Position } from "../../src/log/mod.ts";
import { SimClock } from "../sim/clock.ts";

const at = (position: number) => position as Position;

Deno.test("M3.2 who waits for messages that an operator skips is not told that they were delivered", async () => {
  const clock = new SimClock();
  const receivers = [{ number: 0, name: "bus", required: true, confirms: true, filter: undefined, sample: 1 }];
  const deliveries = new Deliveries({ clock, setWaiters: () => {} });
  deliveries.configure(receivers, 1000);
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

Deno.test("M8.1 who waits for a destination that a reload takes away is told that the messages are safe", async () => {
  const clock = new SimClock();
  const waiters: number[] = [];
  const deliveries = new Deliveries({ clock, setWaiters: (number, count) => waiters[number] = count });
  const [bus, out] = ["bus", "out"].map((name, number) => {
    return { number, name, required: true, confirms: true, filter: undefined, sample: 1 };
  });
  deliveries.configure([bus!, out!], 1000);
  const [gone, stays] = [deliveries.wait([0, 1], at(0), 1), deliveries.wait([1], at(1), 1)];
  deliveries.configure([out!], 1000);
  deliveries.hear(0, { kind: "reached", position: at(2) });
  deliveries.hear(1, { kind: "reached", position: at(2) });
  assert.deepEqual(await clock.run(gone), { kind: "late" });
  assert.deepEqual(await clock.run(stays), { kind: "delivered" });
  assert.deepEqual(waiters, [0, 0]);
});

Deno.test("M8.1 another destination under the number of one that went is not taken for it", async () => {
  const clock = new SimClock();
  const deliveries = new Deliveries({ clock, setWaiters: () => {} });
  const named = (name: string) => [{ number: 0, name, required: true, confirms: true, filter: undefined, sample: 1 }];
  deliveries.configure(named("bus"), 1000);
  const gone = deliveries.wait([0], at(0), 1);
  deliveries.configure(named("other"), 1000);
  deliveries.hear(0, { kind: "reached", position: at(5) });
  assert.deepEqual(await clock.run(gone), { kind: "late" });
});
