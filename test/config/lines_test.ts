import assert from "node:assert/strict";
import { lineOf } from "../../src/config/lines.ts";

const text = `# head
data = "x"
[http] # comment
"listen" = "a"
 root='b'
text = """
root = "not this"
[log]
"""
log.segment = 1

[[destination]]
name = "a"
[[ destination ]]
name = "b"
filter.topic = "x"
[destination.more]
brokers = [
  "k",
]
`;

Deno.test("a key is found in its table, at the top, quoted or dotted", () => {
  assert.equal(lineOf(text, ["data"]), 2);
  assert.equal(lineOf(text, ["http", "listen"]), 4);
  assert.equal(lineOf(text, ["http", "root"]), 5);
  assert.equal(lineOf(text, ["http", "log", "segment"]), 10);
});

Deno.test("the second table of an array is told from the first", () => {
  assert.equal(lineOf(text, ["destination", 0, "name"]), 13);
  assert.equal(lineOf(text, ["destination", 1, "name"]), 15);
  assert.equal(lineOf(text, ["destination", 1, "filter", "topic"]), 16);
  assert.equal(lineOf(text, ["destination", 1, "more", "brokers"]), 18);
});

Deno.test("what has no line of its own is on that of the thing around it", () => {
  assert.equal(lineOf(text, ["http", "public"]), 3);
  assert.equal(lineOf(text, ["destination", 1, "more", "brokers", 0]), 18);
  assert.equal(lineOf(text, ["destination", 0, "kind"]), 12);
  assert.equal(lineOf(text, ["nowhere"]), undefined);
});
