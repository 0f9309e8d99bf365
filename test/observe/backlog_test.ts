import assert from "node:assert/strict";
import { announce, BacklogWatch } from "../../src/observe/backlog.ts";
import type { NodeFacts } from "../../src/observe/status.ts";
import { Table } from "../../src/observe/table.ts";

const mib = 1 << 20;

/** A log of 1000 messages on a disk with room for 100 MiB, `pending` of them not delivered to "bus". */
function facts(pending: number, logBytes: number, required = true): NodeFacts {
  const table = Table.allocate(1);
  table.set("durable", 1000);
  table.set("logBytes", logBytes);
  table.set("freeBytes", 110 * mib - logBytes);
  table.destination(0).set("position", 1000 - pending);
  return {
    ...{ version: "0", node: "0", now: 0, started: 0, table },
    destinations: [{ number: 0, name: "bus", kind: "kafka", required, lastError: "" }],
  };
}

Deno.test("P13 a backlog is announced once at 50, 75 and 90 %, by name", () => {
  const watch = new BacklogWatch(10 * mib);
  const shares = [40, 51, 52, 76, 91, 92].map((part) => watch.look(facts(1000, part * mib), part * 1000));
  assert.deepEqual(shares.map((found) => found.map(({ name, share }) => `${name} ${Math.floor(share * 100)}`)), [
    [],
    ["bus 51"],
    [],
    ["bus 76"],
    ["bus 91"],
    [],
  ]);
});

Deno.test("P13 a backlog that went away is announced again when it comes back", () => {
  const watch = new BacklogWatch(10 * mib);
  const counts = [60, 10, 60].map((part) => watch.look(facts(1000, part * mib), part).length);
  assert.deepEqual(counts, [1, 0, 1]);
});

Deno.test("P13 the time left follows from how fast it grows", () => {
  const watch = new BacklogWatch(10 * mib);
  let last;
  for (let second = 0; second < 90; second++) {
    last = watch.look(facts(1000, (second + 1) * mib), second * 1000)[0] ?? last;
  }
  assert.ok(Math.abs(last!.secondsLeft - 10) < 1, `${last!.secondsLeft} s`);
  assert.match(announce(last!), /take 90 % of the room; at this pace the disk is full in 10 s/);
});

Deno.test("P13 delivered messages and best-effort destinations raise no alarm", () => {
  assert.deepEqual(new BacklogWatch(0).look(facts(0, 100 * mib), 1), []);
  assert.deepEqual(new BacklogWatch(0).look(facts(1000, 100 * mib, false), 1), []);
});
