import assert from "node:assert/strict";
import { type JournalSettings, openJournal } from "../../src/observe/journal.ts";

function opened(settings: JournalSettings) {
  const lines: string[] = [];
  const clock = { ms: 0, now: () => clock.ms, elapsed: () => clock.ms, sleep: async () => {}, turn() {} };
  return { lines, clock, journal: openJournal(clock, (line) => lines.push(line), settings) };
}

Deno.test("M8.1 what is less than the level is not said", () => {
  const { lines, journal } = opened({ form: "json", least: "warning" });
  for (const level of ["info", "warning", "error"] as const) journal.say(level, `a ${level}`);
  assert.deepEqual(lines.map((line) => JSON.parse(line).level), ["warning", "error"]);
});

Deno.test("M8.1 what repeats is said once a minute, with its count", () => {
  const { lines, journal, clock } = opened({ form: "json" });
  for (let i = 0; i < 5; i++) journal.say("error", "away", { destination: "bus" });
  journal.say("error", "away", { destination: "out" });
  assert.equal(lines.length, 2);
  clock.ms += 60_001;
  journal.say("error", "away", { destination: "bus" });
  assert.equal(JSON.parse(lines.at(-1)!).repeated, 4);
});

Deno.test("a line of text cannot drive the terminal", () => {
  const { lines, journal } = opened({ form: "text" });
  journal.say("info", "a\x1b[31m\nb", { name: "\r\u202e" });
  assert.match(lines[0]!, /info {4}a\\u001b\[31m\\u000ab name=\\u000d\\u202e\n$/);
});
