import assert from "node:assert/strict";
import { renderMetrics } from "../../src/observe/metrics.ts";
import { someFacts } from "./facts.ts";

interface Parsed {
  readonly types: Map<string, string>;
  readonly values: Map<string, number>;
}

/** By the rules of the format, as strictly as Prometheus: name, labels with their escapes, value; HELP and TYPE come first. */
function parse(text: string): Parsed {
  assert.ok(text.endsWith("\n"));
  const [types, helps, values] = [new Map<string, string>(), new Set<string>(), new Map<string, number>()];
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-z_]+) (.+)$/.exec(line);
    const type = /^# TYPE ([a-z_]+) (counter|gauge)$/.exec(line);
    if (help) {
      assert.ok(!helps.has(help[1]!), `${help[1]} comes twice`);
      helps.add(family = help[1]!);
    } else if (type) {
      assert.equal(type[1], family);
      types.set(family, type[2]!);
    } else {
      const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(
        line,
      );
      assert.ok(sample, line);
      assert.equal(sample[1], family);
      assert.ok(types.has(family) && !values.has(line.slice(0, line.lastIndexOf(" "))), line);
      values.set(sample[1]! + (sample[2] ?? ""), Number(sample[3]));
    }
  }
  return { types, values };
}

Deno.test("M7.4 the metrics parse back to what the table holds, in base units", () => {
  const { values, types } = parse(renderMetrics({ ...someFacts(), residentBytes: 5000 }));
  const expected: [string, number][] = [
    ['sparkngin_info{version="0.1.0",node="9f3c01aa27de4410"}', 1],
    ["sparkngin_ready", 1],
    ["sparkngin_uptime_seconds", 61.5],
    ["sparkngin_messages_accepted_total", 90],
    ["sparkngin_log_durable_position", 100],
    ["sparkngin_log_start_position", 10],
    ["sparkngin_log_bytes", 4096],
    ["sparkngin_log_free_bytes", 1 << 20],
    ["sparkngin_log_sync_seconds_total", 1.5],
    ["sparkngin_resident_memory_bytes", 5000],
    ['sparkngin_state{state="ready"}', 1],
    ['sparkngin_state{state="full"}', 0],
    ['sparkngin_destination_messages_total{destination="bus",kind="kafka",verdict="taken"}', 45],
    ['sparkngin_destination_messages_total{destination="out",kind="file",verdict="dead"}', 0],
    ['sparkngin_destination_pending_messages{destination="bus",kind="kafka"}', 30],
    ['sparkngin_destination_lag_seconds{destination="bus",kind="kafka"}', 2.5],
    ['sparkngin_destination_send_seconds_total{destination="bus",kind="kafka"}', 0.25],
    ['sparkngin_destination_tries{destination="bus",kind="kafka"}', 4],
    ['sparkngin_destination_state{destination="bus",kind="kafka",state="waiting"}', 1],
    ['sparkngin_destination_state{destination="bus",kind="kafka",state="delivering"}', 0],
    ['sparkngin_destination_conserved{destination="bus",kind="kafka"}', 1],
  ];
  for (const [name, value] of expected) assert.equal(values.get(name), value, name);
  assert.equal(types.get("sparkngin_destination_messages_total"), "counter");
  assert.equal(types.get("sparkngin_destination_pending_messages"), "gauge");
});

Deno.test("M7.4 names follow the rules: counters end in _total, nothing else does", () => {
  for (const [name, type] of parse(renderMetrics(someFacts())).types) {
    assert.equal(name.endsWith("_total"), type === "counter", name);
  }
});

Deno.test("labels are escaped", () => {
  const facts = someFacts();
  const destinations = facts.destinations.map((one) => ({ ...one, kind: 'a"b\\c\nd' }));
  const { values } = parse(renderMetrics({ ...facts, destinations }));
  assert.equal(values.get(String.raw`sparkngin_destination_tries{destination="bus",kind="a\"b\\c\nd"}`), 4);
});

Deno.test("P2 verdicts and backlog of a destination add up to the durable position", () => {
  const { values } = parse(renderMetrics(someFacts()));
  let sum = 20;
  for (const [name, value] of values) {
    if (/^sparkngin_destination_(messages_total|pending_messages)\{destination="bus"/.test(name)) sum += value;
  }
  assert.equal(sum, values.get("sparkngin_log_durable_position"));
});

Deno.test("a node without destinations has metrics of its own only", () => {
  const { values } = parse(renderMetrics({ ...someFacts(), destinations: [] }));
  assert.ok(values.size > 0);
  assert.ok([...values.keys()].every((name) => !name.includes("destination")));
});
