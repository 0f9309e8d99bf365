import assert from "node:assert/strict";
import { Refusals } from "../../src/deliver/refusals.ts";

const taken = (count: number): boolean[] => Array.from({ length: count }, () => false);
const refused = (count: number): boolean[] => Array.from({ length: count }, () => true);

Deno.test("P15: half of a hundred in a row may be refused, and not one more", () => {
  const refusals = new Refusals(50);
  assert.equal(refusals.take(refused(50)), true);
  assert.equal(refusals.take(taken(50)), true);
  assert.equal(refusals.take(refused(1)), true, "the first of them is a hundred messages ago");
  assert.equal(new Refusals(50).take(refused(51)), false);
  assert.equal(new Refusals(50).take([...refused(30), ...taken(40), ...refused(21)]), false);
  assert.equal(new Refusals(50).take([...refused(30), ...taken(70), ...refused(50)]), true);
});

Deno.test("P15: a few refusals now and then are no trouble, however long it goes", () => {
  const refusals = new Refusals(50);
  for (let i = 0; i < 1000; i++) {
    assert.equal(refusals.take([...taken(7), ...refused(3)]), true);
    refusals.pass(5000);
  }
});

Deno.test("P15: those that wait are refused for good once as many are taken beside them", () => {
  const refusals = new Refusals(50);
  assert.equal(refusals.take(refused(60)), false);
  assert.equal(refusals.take(refused(60)), false, "and again");
  assert.equal(refusals.take([...taken(55), ...refused(5)]), true);
  assert.equal(refusals.take(refused(45)), true, "all is well again");
});

Deno.test("P15: the messages that are left of a batch are judged beside those that were taken of it", () => {
  const refusals = new Refusals(50);
  assert.equal(refusals.take(refused(50)), true);
  assert.equal(refusals.take([...taken(18), ...refused(2)]), false);
  assert.equal(refusals.take(refused(2)), true);
});

Deno.test("an answer that decides nothing ends no trouble", () => {
  const refusals = new Refusals(50);
  assert.equal(refusals.take(refused(60)), false);
  refusals.pass(0);
  assert.equal(refusals.take(refused(30)), false);
  refusals.pass(1);
  assert.equal(refusals.take(refused(30)), true);
});

Deno.test("refused_max 100 takes every refusal for the message's own, 0 none", () => {
  assert.equal(new Refusals(100).take(refused(10_000)), true);
  assert.equal(new Refusals(0).take([...taken(99), ...refused(1)]), false);
});
