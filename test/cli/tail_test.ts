import assert from "node:assert/strict";
import { exitCodes } from "../../src/cli/exit.ts";
import { renderMessage } from "../../src/cli/tail.ts";
import { sparkngin, withCode } from "./terminal.ts";

const head = '{"id":"n-1-0","timestamp":1772366400123,"topic":"web"';
const time = "2026-03-01T12:00:00.123Z web";
const ended = "Lost http://127.0.0.1:8081: it has ended the tail\n";

Deno.test("M7.5 tail prints a line a message: time, topic, the usual fields, the payload", async () => {
  const answers = { "/tail": [`${head},"env":"prod","level":"info","data":{"a":1}}\n\n${head},"da`, 'ta":[2]}\n'] };
  assert.deepEqual(await sparkngin(["tail"], { answers }), {
    code: exitCodes.unreachable,
    out: `${time} env=prod level=info {"a":1}\n${time} [2]\n`,
    err: ended,
    asked: ["http://127.0.0.1:8081/tail"],
  });
});

Deno.test("tail --json prints the lines as they are", async () => {
  const line = `${head},"data":{"n":12345678901234567890,"n":1.0}}`;
  const { out } = await sparkngin(["tail", "--json"], { answers: { "/tail": `${line}\n` } });
  assert.equal(out, `${line}\n`);
});

Deno.test("tail --topic asks the server for that pattern", async () => {
  const { asked } = await sparkngin(["tail", "--topic", "web.*&x"]);
  assert.deepEqual(asked, ["http://127.0.0.1:8081/tail?topic=web.*%26x"]);
});

Deno.test("a line that crosses chunks in the middle of a character is put together", async () => {
  const answers = { "/tail": [...`${head},"data":"é"}\n`] };
  const { out } = await sparkngin(["tail"], { answers });
  assert.equal(out, `${time} "é"\n`);
});

Deno.test("what a slow reader lost is told on standard error", async () => {
  const answers = { "/tail": `{"lost":37}\n${head},"data":1}\n` };
  const { out, err } = await sparkngin(["tail", "--json"], { answers });
  assert.equal(out, `${head},"data":1}\n`);
  assert.equal(err, `37 messages are not shown: they came faster than they were read\n${ended}`);
});

Deno.test("hostile payloads cannot drive the terminal", async () => {
  const escape = String.raw`"\u001b[2J\u009b31m\u202ex\r\n\u0000"`;
  assert.equal(
    renderMessage(`${head},"level":"\\u001b[0m","data":${escape}}`),
    String.raw`2026-03-01T12:00:00.123Z web level=\x1b[0m "\u001b[2J\x9b31m\u202ex\r\n\u0000"`,
  );
  const raw = `${head},"data":{"a":\r"\u009b31m\u007f\u202e"}}`;
  const { out } = await sparkngin(["tail", "--json"], { answers: { "/tail": `${raw}\n` } });
  assert.equal(out, `${head},"data":{"a": "\\u009b31m\\u007f\\u202e"}}\n`);
});

Deno.test("a payload that is no JSON is shown as text, or else in base64", () => {
  const text = btoa("plain\x1b");
  assert.equal(renderMessage(`${head},"data_base64":"${text}"}`), `${time} plain\\x1b`);
  assert.equal(renderMessage(`${head},"data_base64":"/w=="}`), `${time} base64:/w==`);
});

Deno.test("numbers are shown as they were sent", () => {
  const data = '{"id":12345678901234567890,"price":1.0,"big":1e400}';
  assert.equal(renderMessage(`${head},"data":${data}}`), `${time} ${data}`);
});

Deno.test("a line that is no message is shown as it is, made harmless", () => {
  assert.equal(renderMessage("[1]\x1b"), "[1]\\x1b");
  assert.equal(renderMessage("nonsense"), "nonsense");
  assert.equal(renderMessage("{}"), "- - ");
});

Deno.test("a server that is not there or goes away is 69", async () => {
  const { code, err } = await sparkngin(["tail"], { answers: { "/tail": withCode("ECONNREFUSED", "x") } });
  assert.equal(code, exitCodes.unreachable);
  assert.equal(err, "Cannot reach http://127.0.0.1:8081: nothing listens there; is sparkngin running?\n");
});
