import assert from "node:assert/strict";
import { exitCodes } from "../../src/cli/exit.ts";
import { inBytes, inTime } from "../../src/cli/status.ts";
import { fullStatus } from "../../src/observe/status.ts";
import { someFacts } from "../observe/facts.ts";
import { sparkngin, withCode } from "./terminal.ts";

const status = fullStatus(someFacts());
const answers = { "/status": JSON.stringify(status) };

Deno.test("status prints a table of the destinations", async () => {
  const { code, out, err } = await sparkngin(["status"], { answers });
  assert.deepEqual([code, err], [0, ""]);
  assert.equal(
    out,
    `sparkngin 0.1.0, node 9f3c01aa27de4410, start 3, up 1 min 1 s
ready, 90 messages accepted
log from 10 to 100, 4.0 KiB on disk, 1.0 MiB free

DESTINATION  KIND   STATE       POSITION  PENDING    LAG  TAKEN  FILTERED  DEAD
bus          kafka  waiting           70       30  2.5 s     45         4     1
out          file   delivering       100        0    0 s    100         0     0
bus: broker is away (tried 4 times)
`,
  );
});

Deno.test("status --json prints the status as one line of JSON", async () => {
  const { out } = await sparkngin(["status", "--json"], { answers });
  assert.equal(out.indexOf("\n"), out.length - 1);
  assert.deepEqual(JSON.parse(out), JSON.parse(JSON.stringify(status)));
});

Deno.test("P2 status shows what ended otherwise, and counts that do not add up", async () => {
  const destinations = [{ ...status.destinations[0]!, damaged: 7, conserved: false }];
  const { out } = await sparkngin(["status"], { answers: { "/status": JSON.stringify({ ...status, destinations }) } });
  assert.match(out, /^bus: 7 messages damaged$/m);
  assert.match(out, /^bus: COUNTS DO NOT ADD UP from 20 to 70; please report this$/m);
});

Deno.test("an error text of a destination cannot drive the terminal", async () => {
  const destinations = [{ ...status.destinations[0]!, last_error: "\x1b]0;pwned\x07\r\nout: ok\u009b31m" }];
  const hostile = { "/status": JSON.stringify({ ...status, ready: false, destinations }) };
  const { out } = await sparkngin(["status"], { answers: hostile });
  assert.match(out, /^bus: \\x1b\]0;pwned\\x07\\x0d\\x0aout: ok\\x9b31m \(tried 4 times\)$/m);
  assert.match(out, /^NOT READY, /m);
  const json = await sparkngin(["status", "--json"], { answers: hostile });
  assert.match(json.out, /ok\\u009b31m/);
});

Deno.test("the server asked is --url, else SPARKNGIN_URL, else the usual one", async () => {
  const asked = async (args: string[], env = {}) => (await sparkngin(["status", ...args], { answers, env })).asked;
  const env = { SPARKNGIN_URL: "https://b:1/behind/" };
  assert.deepEqual(await asked(["--url", "a:9"], env), ["http://a:9/status"]);
  assert.deepEqual(await asked([], env), ["https://b:1/behind/status"]);
  assert.deepEqual(await asked([]), ["http://127.0.0.1:8081/status"]);
});

Deno.test("a server that cannot be reached is 69, with the reason in one sentence", async () => {
  const expected: [Error | number | string, string][] = [
    [withCode("ECONNREFUSED", "x"), "Cannot reach http://127.0.0.1:8081: nothing listens there; is sparkngin running?"],
    [withCode("ENOTFOUND", "x"), "Cannot reach http://127.0.0.1:8081: there is no such host"],
    [withCode("ABORT_ERR", "x"), "Cannot reach http://127.0.0.1:8081: no answer in time"],
    [new Error("odd\x1b"), "Cannot reach http://127.0.0.1:8081: odd\\x1b"],
    [503, "Cannot ask http://127.0.0.1:8081/status: it answered 503 why\\x1b[31m"],
    [404, "Cannot ask http://127.0.0.1:8081/status: it answered 404 why\\x1b[31m"],
    ["<html>", "Cannot ask http://127.0.0.1:8081/status: the answer is not from the management of sparkngin"],
    [
      '{"version":"0.1.0"}',
      "Cannot ask http://127.0.0.1:8081/status: the answer is not from the management of sparkngin",
    ],
  ];
  for (const [answer, sentence] of expected) {
    const { code, out, err } = await sparkngin(["status"], { answers: { "/status": answer } });
    assert.deepEqual([code, out, err], [exitCodes.unreachable, "", `${sentence}\n`]);
  }
});

Deno.test("an address that is none is 64", async () => {
  for (const url of ["ftp://x", "http://", "a b", "http://[::g]"]) {
    const { code, err } = await sparkngin(["status", "--url", url]);
    assert.equal(code, exitCodes.usage, url);
    assert.equal(err, `Cannot use the address "${url}": write it like http://127.0.0.1:8081\n`);
  }
});

Deno.test("times and sizes are written for people", () => {
  const times = [0, 0.25, 59, 61, 3600, 90_000].map(inTime);
  assert.deepEqual(times, ["0 s", "0.3 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]);
  const sizes = [0, 1023, 1024, 1_572_864, 5 * 2 ** 40, 2 ** 60].map(inBytes);
  assert.deepEqual(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "5.0 TiB", "1048576.0 TiB"]);
});
