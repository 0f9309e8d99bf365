import assert from "node:assert/strict";
import { emptied } from "../../src/config/emptied.ts";

const main = (text: string) => ({ name: "sparkngin.toml", text });
const beside = (text: string) => ({ name: "conf.d/bus.toml", text });
const destination = '[[destination]]\nname = "a"\nkind = "file"\n';

Deno.test("M8.1 a file that is empty and was not is named, with what to do", () => {
  const [problem, ...more] = emptied([main("")], [main(destination)]);
  assert.deepEqual(more, []);
  assert.match(problem!, /^Cannot read sparkngin\.toml: it is empty, and was not when it was read last/);
  assert.match(
    problem!,
    /reload again when it is whole; if the default destinations are meant, write destination = \[\]/,
  );
});

Deno.test("M8.1 white space and comments are empty, a table without keys is not", () => {
  for (const text of ["\n\n", " \t\r\n", "# one\n  # two = 2", "\uFEFF", "\uFEFF# one\n"]) {
    assert.equal(emptied([main(text)], [main(destination)]).length, 1, JSON.stringify(text));
  }
  for (const text of ["[http]\n", "destination = []", '\n  data = "d"']) {
    assert.deepEqual(emptied([main(text)], [main(destination)]), [], text);
  }
});

Deno.test("M8.1 a file that was empty before, or is new or gone, may be so", () => {
  assert.deepEqual(emptied([main("# nothing")], [main("")]), []);
  assert.deepEqual(emptied([main(""), beside("")], [main("")]), []);
  assert.deepEqual(emptied([main(destination)], [main(destination), beside(destination)]), []);
  assert.deepEqual(emptied([], []), []);
});

Deno.test("M8.1 what to do with an empty file depends on what stood in it and where it lies", () => {
  const files = [main(""), beside("")];
  const [first, second] = emptied(files, [main("[http]\nkeys = true\n"), beside(destination)]);
  assert.match(first!, /; if the defaults are meant, restart$/);
  assert.match(
    second!,
    /^Cannot read conf\.d\/bus\.toml: .*; if nothing of it should stay, remove conf\.d\/bus\.toml$/,
  );
});
