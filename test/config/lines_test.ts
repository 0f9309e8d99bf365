import assert from "node:assert/strict";
import { Lines } from "../../src/config/lines.ts";

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

const lines = new Lines(text);

Deno.test("a key is found in its table, at the top, quoted or dotted", () => {
  assert.equal(lines.of(["data"]), 2);
  assert.equal(lines.of(["http", "listen"]), 4);
  assert.equal(lines.of(["http", "root"]), 5);
  assert.equal(lines.of(["http", "log", "segment"]), 10);
});

Deno.test("the second table of an array is told from the first", () => {
  assert.equal(lines.of(["destination", 0, "name"]), 13);
  assert.equal(lines.of(["destination", 1, "name"]), 15);
  assert.equal(lines.of(["destination", 1, "filter", "topic"]), 16);
  assert.equal(lines.of(["destination", 1, "more", "brokers"]), 18);
});

Deno.test("what has no line of its own is on that of the thing around it", () => {
  assert.equal(lines.of(["http", "public"]), 3);
  assert.equal(lines.of(["destination", 1, "more", "brokers", 0]), 18);
  assert.equal(lines.of(["destination", 0, "kind"]), 12);
  assert.equal(lines.of(["nowhere"]), undefined);
});
