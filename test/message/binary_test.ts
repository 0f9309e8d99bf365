import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeBinary } from "../../src/message/binary.ts";
import { formatter } from "../../src/message/format.ts";
import { outputNames } from "../../src/message/message.ts";
import { allKinds, arrival, idOf, message } from "./kinds.ts";

const write = formatter("binary");
const someFields = fc.dictionary(
  fc.constantFrom(...outputNames.map(([name]) => name)),
  fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
  { noNullPrototype: true },
);

Deno.test("M2.3 whoever decodes a binary message finds every field and the payload", () => {
  fc.assert(fc.property(someFields, fc.string(), fc.uint8Array(), fc.boolean(), (fields, id, data, dataIsJson) => {
    const bytes = write({ topic: "t", ...fields, timestamp: arrival, data, dataIsJson }, id);
    const { message: found, end } = decodeBinary(bytes);
    assert.deepEqual(found, { topic: "t", ...fields, id, timestamp: arrival, data, dataIsJson });
    assert.equal(end, bytes.length);
  }));
});

Deno.test("binary messages behind each other, with or without something between, are told apart by their length", () => {
  const bytes = Deno.readFileSync(new URL("../golden/formats/binary-v1.bin", import.meta.url));
  let at = 0;
  for (const [number, kind] of allKinds.entries()) {
    const { message: found, end } = decodeBinary(bytes, at);
    assert.equal(found.id, idOf(number));
    assert.deepEqual(found.data, kind.data);
    at = end;
  }
  assert.equal(at, bytes.length);
});

Deno.test("fields that are not known are passed over", () => {
  const bytes = write(message({}, "1"), "x");
  const more = Uint8Array.from([...bytes.subarray(0, 16), 200, 0, 0, 0, 1, 7, ...bytes.subarray(16)]);
  new DataView(more.buffer).setUint32(4, more.length - 8);
  assert.deepEqual(decodeBinary(more).message, decodeBinary(bytes).message);
});

Deno.test("bytes that are no message, or one cut or changed anywhere, are refused or read, never for ever", () => {
  const whole = write(message({ env: "e", key: "k" }), "x");
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decodeBinary(whole.subarray(0, length)), /Cannot read message: /);
  }
  const changed = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => whole.with(at, byte));
  fc.assert(fc.property(fc.oneof(fc.uint8Array(), changed), (bytes) => {
    try {
      decodeBinary(bytes);
    } catch (problem) {
      assert.ok(problem instanceof TypeError);
    }
  }));
});

Deno.test("a later version is refused by its number", () => {
  assert.throws(() => decodeBinary(write(message({}), "x").with(2, 9)), /its version is 9/);
});

Deno.test("the decoder in the documentation reads what the golden file holds", async (test) => {
  const page = Deno.readTextFileSync(new URL("../../docs/formats.md", import.meta.url));
  const code = /```python\n([^]*?)```/.exec(page)![1]!;
  const golden = new URL("../golden/formats/binary-v1.bin", import.meta.url).pathname;
  const program = `${code}
import json, sys
rest = open(sys.argv[1], "rb").read()
while rest:
    end = 8 + int.from_bytes(rest[4:8], "big")
    found = decode(rest[:end])
    print(json.dumps({**found, "data": found["data"].hex()}))
    rest = rest[end:]
`;
  const python = new Deno.Command("python3", { args: ["-c", program, golden] });
  const result = await python.output().catch(() => undefined);
  if (result === undefined) return void await test.step({ name: "needs python3", ignore: true, fn() {} });
  assert.ok(result.success, new TextDecoder().decode(result.stderr));
  const found = new TextDecoder().decode(result.stdout).trim().split("\n").map((line) => JSON.parse(line));
  const expected = allKinds.map((kind, at) => {
    const fields = outputNames.flatMap(([name, label]) => kind[name] === undefined ? [] : [[label, kind[name]]]);
    const data = (kind.data as Uint8Array & { toHex(): string }).toHex();
    return { ...Object.fromEntries(fields), id: idOf(at), timestamp: arrival, data };
  });
  assert.deepEqual(found, expected);
});
