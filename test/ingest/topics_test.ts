import assert from "node:assert";
import { matches, Topics } from "../../src/ingest/topics.ts";

Deno.test("a star stands for any letters, everything else for itself", () => {
  const table: [string, string, boolean][] = [
    ["web.*", "web.click", true],
    ["web.*", "web.", true],
    ["web.*", "web", false],
    ["web.*", "xweb.a", false],
    ["*", "anything", true],
    ["*.error", "a.b.error", true],
    ["*.error", "a.errors", false],
    ["a*b*c", "aXbYbZc", true],
    ["a*b*c", "acb", false],
    ["a", "a", true],
    ["a", "ab", false],
    ["a.c", "abc", false],
    ["", "a", false],
    ["**a**", "bab", true],
  ];
  for (const [pattern, topic, wanted] of table) assert.equal(matches(pattern, topic), wanted, `${pattern} ${topic}`);
});

Deno.test("a pattern of many stars is no way to stop us", () => {
  assert.equal(matches(`${"*a".repeat(100)}*b`, "a".repeat(249)), false);
});

Deno.test("with patterns only their topics are taken, however many", () => {
  const topics = new Topics({ topics_max: 1, topics_allow: ["web.*", "app"] });
  for (const topic of ["web.a", "web.b", "app"]) assert.equal(topics.admit(topic), undefined);
  assert.equal(topics.admit("apps")?.field, "topic");
});

Deno.test("without patterns any topics are taken, up to the limit", () => {
  const topics = new Topics({ topics_max: 2, topics_allow: [] });
  for (const topic of ["a", "b"]) {
    topics.begin();
    assert.equal(topics.admit(topic), undefined);
    topics.keep();
  }
  topics.begin();
  assert.equal(topics.admit("c")?.code, "too-many-topics");
  assert.equal(topics.admit("a"), undefined);
});

Deno.test("topics of a refused request do not count", () => {
  const topics = new Topics({ topics_max: 2, topics_allow: [] });
  topics.begin();
  for (const topic of ["a", "b"]) assert.equal(topics.admit(topic), undefined);
  assert.equal(topics.admit("c")?.code, "too-many-topics");
  topics.begin();
  for (const topic of ["c", "d"]) assert.equal(topics.admit(topic), undefined);
});

Deno.test("a message without a topic hears that it is missing", () => {
  assert.match(new Topics({ topics_max: 1, topics_allow: [] }).admit(undefined)!.detail, /"topic" is missing/);
});
