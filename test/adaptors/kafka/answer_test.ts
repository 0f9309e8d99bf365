import assert from "node:assert";
import { answersIn, everyError, isPassing, meaningOf } from "../../../adaptors/kafka/answer.ts";

const recordErrors = [{ batchIndex: 2, batchIndexErrorMessage: "no key" }, { batchIndex: 5 }];

Deno.test("an answer tells of each partition what became of its batch, in the broker's words or in ours", () => {
  const said = (index: number, errorCode: number, rest = {}) => ({ index, errorCode, baseOffset: 7n, ...rest });
  const partitionResponses = [
    said(0, 0),
    said(1, 10),
    said(2, 10, { errorMessage: "2 MB is too much" }),
    said(3, 87, { recordErrors, errorMessage: "bad" }),
    said(4, 0, { baseOffset: -1n }),
  ];
  const answers = answersIn(
    { responses: [{ name: "t", partitionResponses }], throttleTimeMs: 0 },
    (code) => `no ${code}`,
  );
  assert.deepEqual(Object.fromEntries(answers), {
    "t:0": { code: 0, text: "", offset: 7n, faults: [] },
    "t:1": { code: 10, text: "no 10", faults: [] },
    "t:2": { code: 10, text: "2 MB is too much", faults: [] },
    "t:3": { code: 87, text: "no key", faults: [2, 5] },
    "t:4": { code: 0, text: "", faults: [] },
  });
});

Deno.test("every error within an error is met, and a circle of them is left", () => {
  const [inner, outer] = [new Error("y"), new AggregateError([])];
  outer.errors.push(new Error("x", { cause: inner }));
  assert.deepEqual([...everyError(outer)].map(({ message }) => message), ["", "x", "y"]);
  inner.cause = outer;
  assert.ok([...everyError(outer)].length > 3);
  assert.deepEqual([...everyError(undefined)], []);
});

Deno.test("a repeat that the broker knows is taken; an unknown error is held; what may be soon is passing", () => {
  const answer = (code: number) => ({ code, text: "", faults: [] });
  const meanings = [0, 46, 10, 18, 32, 87, 3, 19, 29, -1, 47].map((code) => meaningOf(answer(code)));
  assert.deepEqual(meanings, [
    ...["taken", "taken", "bad", "bad", "bad", "bad"],
    ...["held", "held", "held", "held", "lost"],
  ]);
  const codes = Array.from({ length: 120 }, (_, i) => i - 1).filter((code) => isPassing(answer(code)));
  assert.deepEqual(codes, [2, 3, 5, 6, 7, 8, 9, 13, 19, 20, 56, 74, 75, 89]);
  for (const code of codes) assert.equal(meaningOf(answer(code)), "held");
});
