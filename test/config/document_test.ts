import assert from "node:assert/strict";
import { Document } from "../../src/config/document.ts";

const named = (texts: Record<string, string>) =>
  new Document(Object.entries(texts).map(([name, text]) => ({ name, text })));

Deno.test("M8.1 files are one configuration: keys of the same section, and destinations one after the other", () => {
  const document = named({
    "sparkngin.toml": '[http]\nroot = "/sn"\n[[destination]]\nname = "a"\n',
    "conf.d/10-keys.toml": "[http]\nkeys = true\n",
    "conf.d/20-bus.toml": '# Kafka\n[[destination]]\nname = "b"\n[[destination]]\nname = "c"\nkind = "kafka"\n',
  });
  assert.deepEqual(document.problems, []);
  assert.deepEqual(JSON.parse(JSON.stringify(document.tables)), {
    http: { root: "/sn", keys: true },
    destination: [{ name: "a" }, { name: "b" }, { name: "c", kind: "kafka" }],
  });
  assert.deepEqual(document.placeOf(["http", "keys"]), { name: "conf.d/10-keys.toml", line: 2 });
  assert.deepEqual(document.placeOf(["destination", 0, "name"]), { name: "sparkngin.toml", line: 4 });
  assert.deepEqual(document.placeOf(["destination", 2, "kind"]), { name: "conf.d/20-bus.toml", line: 6 });
});

Deno.test("what is not there stands where the innermost thing around it does", () => {
  const document = named({ a: "[http]\n", b: '[[destination]]\nname = "x"\n' });
  assert.deepEqual(document.placeOf(["destination", 0, "kind"]), { name: "b", line: 1 });
  assert.deepEqual(document.placeOf(["log", "retain"]), { name: "a", line: undefined });
  assert.deepEqual(named({}).placeOf(["http"]), { name: "the configuration", line: undefined });
});

Deno.test("M8.1 the same key in two files is refused, with both places", () => {
  const { problems } = named({
    "a.toml": 'data = "x"\n[http]\nroot = "/a"\n',
    "b.toml": '[http]\n\nroot = "/b"\n',
    "c.toml": 'data = "y"\ndestination = 3\n',
    "d.toml": '[[destination]]\nname = "z"\n',
  });
  assert.deepEqual(problems, [
    'Cannot read b.toml: line 3: "root" in [http] stands in a.toml, line 3, too: keep one of the two',
    'Cannot read c.toml: line 1: "data" stands in a.toml, line 1, too: keep one of the two',
    'Cannot read d.toml: line 1: "destination" stands in c.toml, line 2, too: keep one of the two',
  ]);
});

Deno.test("every file that is no TOML is named", () => {
  const { problems } = named({ "a.toml": "=\n", "b.toml": "[http\n" });
  assert.equal(problems.length, 2);
  assert.match(problems[0]!, /^Cannot read a\.toml: line 1, column 1: /);
  assert.match(problems[1]!, /^Cannot read b\.toml: line 1, column /);
});

Deno.test("a key called __proto__ is a key like others", () => {
  const document = named({ a: "[__proto__]\nx = 1\n[http.__proto__]\ny = 1\n" });
  assert.deepEqual(Object.keys(document.tables), ["__proto__", "http"]);
  assert.equal(({} as Record<string, unknown>).x, undefined);
  assert.deepEqual(Object.keys(document.tables.http as object), ["__proto__"]);
});
