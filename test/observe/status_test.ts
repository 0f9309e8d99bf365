import assert from "node:assert/strict";
import { fullStatus, notReady, publicStatus } from "../../src/observe/status.ts";
import { destinationStates, nodeStates } from "../../src/observe/table.ts";
import { now, someFacts } from "./facts.ts";

Deno.test("M1.4 the full status has the members that decisions promise", () => {
  const { destinations, ...node } = fullStatus(someFacts());
  assert.deepEqual(node, {
    version: "0.1.0",
    node: "9f3c01aa27de4410",
    epoch: 3,
    uptime_s: 61,
    pipes: { accepted: 0, refused: 0, dropped: 0 },
    ready: true,
    accepted: 90,
    log: { start: 10, end: 100, durable: 100, bytes: 4096, free_bytes: 1 << 20 },
    zeromq: {
      connections: 0,
      accepted: 0,
      refused: { bad: 0, too_large: 0, too_many_topics: 0 },
      dropped: 0,
      closed: { protocol: 0, too_large: 0, too_slow: 0, too_many: 0 },
    },
  });
  assert.deepEqual(destinations[0], {
    name: "bus",
    kind: "kafka",
    state: "waiting",
    position: 70,
    pending: 30,
    backlog_bytes: 1365,
    taken: 45,
    filtered: 4,
    sampled: 0,
    dead: 1,
    skipped: 0,
    expired: 0,
    overwritten: 0,
    damaged: 0,
    lag_s: 2.5,
    tries: 4,
    held: 7,
    ahead: 70,
    stalled_topics: 0,
    stalled_messages: 0,
    at_once: 0,
    throttled: 0,
    rate_limited: false,
    last_error: "broker is away",
    remark: "",
    required: true,
    generation: 1,
    start: 20,
    conserved: true,
  });
});

Deno.test("M2.2 a destination to which nobody subscribes has a state of its own and a remark, and no error", () => {
  const facts = someFacts();
  facts.table.destination(0).set("state", destinationStates.indexOf("unattended"));
  facts.table.destination(0).set("alone", 1);
  const destinations = facts.destinations.map((one) => ({ ...one, lastError: "" }));
  const [bus, out] = fullStatus({ ...facts, destinations }).destinations;
  assert.deepEqual([bus!.state, bus!.last_error, bus!.lag_s], ["unattended", "", 0]);
  assert.match(bus!.remark, /^nobody subscribes: /);
  assert.equal(out!.remark, "");
});

Deno.test("M1.4 the public status tells no more than version, time, readiness, count and states", () => {
  assert.deepEqual(publicStatus(someFacts()), {
    version: "0.1.0",
    uptime_s: 61,
    ready: true,
    accepted: 90,
    destinations: [{ name: "bus", state: "waiting" }, { name: "out", state: "delivering" }],
  });
});

Deno.test("P2 the status says when the verdicts of a destination do not add up to its position", () => {
  const facts = someFacts();
  facts.table.destination(0).add("taken", 1);
  assert.deepEqual(fullStatus(facts).destinations.map(({ conserved }) => conserved), [false, true]);
});

Deno.test("a destination that has caught up has no lag, however old its last message", () => {
  assert.equal(fullStatus(someFacts()).destinations[1]!.lag_s, 0);
});

Deno.test("M2.2 what waits in case somebody comes has no lag", () => {
  const facts = someFacts();
  facts.table.destination(0).set("alone", 1);
  const [bus] = fullStatus(facts).destinations;
  assert.deepEqual([bus!.pending, bus!.lag_s], [30, 0]);
});

Deno.test("a destination that has handled nothing yet lags since the start", () => {
  const facts = someFacts();
  facts.table.destination(0).set("since", 0);
  assert.equal(fullStatus(facts).destinations[0]!.lag_s, 61.5);
});

Deno.test("P17 a wall clock set back gives no negative times, and a cursor ahead of our look no negative backlog", () => {
  const facts = { ...someFacts(), now: now - 100_000 };
  facts.table.set("durable", 60);
  const { uptime_s, destinations } = fullStatus(facts);
  assert.deepEqual([uptime_s, destinations[0]!.lag_s, destinations[0]!.pending], [0, 0, 0]);
});

Deno.test("P21 the node is ready in one state only, and says why not in the others", () => {
  const { table } = someFacts();
  const reasons = nodeStates.map((_, state) => {
    table.set("state", state);
    return notReady(table)?.split(":")[0];
  });
  assert.deepEqual(reasons, ["starting", undefined, "full", "exhausted", "stopped", "stopping"]);
});

Deno.test("every state of a destination is shown by its name", () => {
  const facts = someFacts();
  const shown = destinationStates.map((_, state) => {
    facts.table.destination(0).set("state", state);
    return fullStatus(facts).destinations[0]!.state;
  });
  assert.deepEqual(shown, destinationStates);
});
