import assert from "node:assert/strict";
import type { Journal } from "../../src/observe/journal.ts";
import { openJournal } from "../../src/observe/journal.ts";
import { goRounds } from "../../src/observe/rounds.ts";
import { SimWorld } from "../sim/world.ts";
import { someFacts } from "./facts.ts";

function listen(): { journal: Journal; said: string[] } {
  const said: string[] = [];
  return { said, journal: { say: (level, text, facts) => void said.push(`${level} ${facts?.destination}: ${text}`) } };
}

Deno.test("P2 verdicts that do not add up are an alarm within a minute", async () => {
  const sim = new SimWorld(1);
  const { journal, said } = listen();
  const facts = someFacts();
  facts.table.destination(0).add("taken", 1);
  const stop = new AbortController();
  const rounds = goRounds({ world: sim, facts: () => facts, journal, reserveBytes: 0 }, stop.signal);
  await sim.run(61_000);
  stop.abort();
  await sim.run(rounds);
  assert.deepEqual(said.filter((line) => line.includes("do not add up")).length, 1);
  assert.match(said.find((line) => line.includes("add up"))!, /^error bus: /);
});

Deno.test("a sentence that repeats is said once a minute, with its count", () => {
  const sim = new SimWorld(1);
  const lines: string[] = [];
  const journal = openJournal(sim.clock, (line) => lines.push(line), { form: "json" });
  for (let i = 0; i < 5; i++) journal.say("warning", "again", { destination: "a" });
  journal.say("warning", "again", { destination: "b" });
  assert.equal(lines.length, 2);
});

Deno.test("nothing raw reaches the terminal from what the program says", () => {
  const lines: string[] = [];
  const journal = openJournal(new SimWorld(1).clock, (line) => lines.push(line), { form: "text" });
  journal.say("info", "a\u001b[2Jb\nc", { topic: "x\r\ny" });
  assert.match(lines[0]!, /a\\u001b\[2Jb\\u000ac topic=x\\u000d\\u000ay\n$/);
});
