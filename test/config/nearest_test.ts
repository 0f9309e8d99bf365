import assert from "node:assert/strict";
import { nearest, suggestion } from "../../src/config/nearest.ts";

const known = ["listen", "root", "topic", "topics_max"];

Deno.test("letters swapped, missing, doubled or wrong still find the name", () => {
  for (const slip of ["lisetn", "lsten", "llisten", "listem", "LISTEN", "rot", "topix"]) {
    assert.ok(nearest(slip, known) !== undefined, slip);
  }
  assert.equal(nearest("lisetn", known), "listen");
  assert.equal(nearest("topics_mx", known), "topics_max");
});

Deno.test("a name that is far from all is not guessed at", () => {
  assert.equal(nearest("password", known), undefined);
  assert.equal(nearest("xx", known), undefined);
  assert.equal(suggestion("password", known), 'known are "listen", "root", "topic", "topics_max"');
});
