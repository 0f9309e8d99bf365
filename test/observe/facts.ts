/** A node as the tests of this room see it: two destinations, the first of which is a message and a half behind. */
import type { NodeFacts } from "../../src/observe/status.ts";
import { destinationStates, nodeStates, Table } from "../../src/observe/table.ts";

export const now = Date.UTC(2026, 2, 1, 12);

export function someFacts(): NodeFacts {
  const table = Table.allocate(2);
  table.set("state", nodeStates.indexOf("ready"));
  for (const [cell, value] of [["durable", 100], ["start", 10], ["epoch", 3], ["accepted", 90]] as const) {
    table.set(cell, value);
  }
  table.set("logBytes", 4096);
  table.set("freeBytes", 1 << 20);
  table.set("syncMicros", 1_500_000);
  fillBus(table);
  fillOut(table);
  const destinations = [
    { number: 0, name: "bus", kind: "kafka", required: true, lastError: "broker is away" },
    { number: 1, name: "out", kind: "file", required: false, lastError: "" },
  ];
  return { version: "0.1.0", node: "9f3c01aa27de4410", table, destinations, now, started: now - 61_500 };
}

function fillBus(table: Table): void {
  const bus = table.destination(0);
  bus.set("generationStart", 20);
  bus.set("position", 70);
  bus.set("taken", 45);
  bus.set("filtered", 4);
  bus.set("dead", 1);
  bus.set("state", destinationStates.indexOf("waiting"));
  bus.set("since", now - 2500);
  bus.set("tries", 4);
  bus.set("held", 7);
  bus.set("generation", 1);
  bus.set("sendMicros", 250_000);
}

function fillOut(table: Table): void {
  const out = table.destination(1);
  out.set("position", 100);
  out.set("taken", 100);
  out.set("state", destinationStates.indexOf("delivering"));
}
