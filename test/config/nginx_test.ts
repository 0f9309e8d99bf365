import assert from "node:assert/strict";
import fc from "fast-check";
import { type Directive, NginxProblem, parseNginx } from "../../src/config/nginx.ts";

const plain = (directives: readonly Directive[]): unknown[] =>
  directives.map(({ name, args, line, block }) => [line, name, ...args, ...(block ? [plain(block)] : [])]);
const refused = (text: string) => {
  try {
    parseNginx(text);
  } catch (problem) {
    assert.ok(problem instanceof NginxProblem, String(problem));
    return [problem.line, problem.message];
  }
  assert.fail(`taken: ${text.slice(0, 100)}`);
};

Deno.test("M8.1 nginx's directives are read with their blocks, quotes, comments and lines", () => {
  const text = `# first
a b 'c d' "e\\"f" g\\;h; # no directive;
http {
  listen 80; x
    y
  z;
  if ($a ~ "^/b{2}$") { set $\{c} d#e; }
  content_by_lua_block { local t = { ";" } }
}
`;
  assert.deepEqual(plain(parseNginx(text)), [
    [2, "a", "b", "c d", 'e"f', "g;h"],
    [3, "http", [
      [4, "listen", "80"],
      [4, "x", "y", "z"],
      [7, "if", "($a", "~", "^/b{2}$", ")", [[7, "set", "${c}", "d#e"]]],
      [8, "content_by_lua_block", []],
    ]],
  ]);
});

Deno.test("M8.1 what nginx would not take is refused with its line", () => {
  assert.deepEqual(refused("a;\nhttp {\n b;\n"), [2, 'this block has no closing "}"']);
  assert.deepEqual(refused("a;\n}"), [2, 'unexpected "}"']);
  assert.deepEqual(refused("\n;"), [2, 'unexpected ";"']);
  assert.deepEqual(refused("a\nb"), [1, '"a" has no ";" behind it']);
  assert.deepEqual(refused("http { a }"), [1, '"a" has no ";" behind it']);
  assert.deepEqual(refused("a\n 'b;\n"), [2, "a quote without end"]);
  assert.deepEqual(refused("{"), [1, 'unexpected "{"']);
  assert.deepEqual(refused("x_by_lua_block {\n{}"), [1, 'this block has no closing "}"']);
  assert.deepEqual(refused("a {".repeat(100_000)), [1, "blocks are nested deeper than 32"]);
  assert.deepEqual(refused("a".repeat(5_000_000)), [1, "it is larger than 4 MiB"]);
});

Deno.test("any text is read or refused, never for ever", () => {
  const pieces = fc.constantFrom(
    "a",
    " ",
    "\n",
    ";",
    "{",
    "}",
    "'",
    '"',
    "\\",
    "#",
    "$",
    "${",
    "_by_lua_block",
    "\0",
    "é",
  );
  fc.assert(fc.property(fc.oneof(fc.array(pieces).map((parts) => parts.join("")), fc.string()), (text) => {
    try {
      parseNginx(text);
    } catch (problem) {
      assert.ok(problem instanceof NginxProblem);
    }
  }));
});
