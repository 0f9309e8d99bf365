import assert from "node:assert";
import { answersIn, meaningOf, takenAnswers } from "../../../adaptors/kafka/answer.ts";

function refusal(partitions: Record<number, number>): unknown {
  const partitionResponses = Object.entries(partitions).map(([index, errorCode]) => ({
    ...{ index: Number(index), errorCode, baseOffset: 7n, errorMessage: null, recordErrors: [] },
  }));
  const errors = Object.values(partitions).filter((code) => code !== 0).map((apiCode) => ({
    apiCode,
    message: `no ${apiCode}`,
  }));
  return { code: "PLT_KFK_RESPONSE", errors, response: { responses: [{ name: "t", partitionResponses }] } };
}

Deno.test("a failed request tells of each partition what its broker answered", () => {
  const answers = answersIn({
    errors: [refusal({ 0: 0, 1: 10 })],
    produced: { offsets: [{ topic: "t", partition: 2, offset: 3n }] },
  });
  assert.deepEqual(answers.get("t:0"), { code: 0, text: "error 0", offset: 7n, faults: [] });
  assert.deepEqual(answers.get("t:1"), { code: 10, text: "no 10", offset: undefined, faults: [] });
  assert.equal(answers.get("t:2")?.offset, 3n);
  assert.equal(answers.get("t:3"), undefined);
});

Deno.test("of several attempts the last answer counts", () => {
  const answers = answersIn({ errors: [refusal({ 0: 19 }), new Error("Connection closed"), refusal({ 0: 10 })] });
  assert.equal(answers.get("t:0")?.code, 10);
});

Deno.test("what one attempt had taken stays taken, whatever a later one says", () => {
  const answers = answersIn({ errors: [refusal({ 0: 0, 1: 3 }), refusal({ 0: 6, 1: 19 })] });
  assert.deepEqual([answers.get("t:0")?.code, answers.get("t:1")?.code], [0, 19]);
});

Deno.test("a connection that ended answers nothing", () => {
  assert.equal(answersIn(new AggregateError([new Error("x", { cause: new Error("y") })])).size, 0);
  assert.equal(answersIn(undefined).size, 0);
});

Deno.test("a repeat that the broker knows is taken; an unknown error is held", () => {
  const [answer] = takenAnswers({ offsets: [{ topic: "t", partition: 0, offset: 1n }] }).values();
  const meanings = [0, 46, 10, 18, 32, 87, 3, 19, 29, -1, 47].map((code) => meaningOf({ ...answer!, code }));
  assert.deepEqual(meanings, [
    ...["taken", "taken", "bad", "bad", "bad", "bad"],
    ...["held", "held", "held", "held", "lost"],
  ]);
});
