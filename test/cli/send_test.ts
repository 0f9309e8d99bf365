import assert from "node:assert/strict";
import { exitCodes } from "../../src/cli/exit.ts";
import type { Posted, Posting } from "../../src/cli/terminal.ts";
import { realWorld } from "../../src/os/deno.ts";
import { type Given, type Printed, sparkngin, withCode } from "./terminal.ts";

interface Request {
  readonly url: string;
  readonly headers: Posting["headers"];
  readonly lines: readonly string[];
}

/** `sparkngin send` in a directory with these files; a server that answers as `answer` does. */
async function send(
  args: readonly string[],
  { files = {}, answer, ...given }: Given & { files?: Record<string, string>; answer?: (request: Request) => Posted } =
    {},
): Promise<Printed & { requests: Request[]; dir: string }> {
  const dir = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  const requests: Request[] = [];
  const take = (url: URL, { headers, body }: Posting): Posted => {
    const lines = new TextDecoder().decode(body).split("\n").slice(0, -1);
    const request = { url: url.href, headers, lines };
    requests.push(request);
    return answer?.(request) ?? posted(204);
  };
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${dir}/${name}`, text);
    const placed = args.map((arg) => arg.replace("DIR", dir));
    const printed = await sparkngin(["send", ...placed], { world: realWorld(), take, ...given });
    return { ...printed, err: printed.err.replaceAll(dir, "DIR"), requests, dir };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function posted(status: number, problem: object = {}): Posted {
  return { status, headers: {}, text: JSON.stringify(problem) };
}

/** A spool is locked for the life of the process, and a checkpoint may be about to be written when all is sent. */
const lasting = { sanitizeResources: false, sanitizeOps: false };

Deno.test("M6 send sends the lines of files, with the fields named, and says how many were taken", async () => {
  const { code, out, err, requests } = await send(
    ["--topic", "web", "--level", "info", "--field", "version=1.2", "--field", "key=a b", "DIR/a.log", "DIR/b.ndjson"],
    { files: { "a.log": "one\n\ntwo\n", "b.ndjson": '{"data":1}\n' }, env: { SPARKNGIN_KEY: " sng_k\n" } },
  );
  assert.deepEqual([code, out, err], [0, "", "3 lines taken (19 B), 0 refused\n"]);
  const url = "http://127.0.0.1:8080/log?topic=web&level=info&version=1.2&key=a+b";
  assert.deepEqual(requests.map(({ url, lines }) => ({ url, lines })), [
    { url, lines: ["one", "two"] },
    { url, lines: ['{"data":1}'] },
  ]);
  assert.deepEqual(requests.map(({ headers }) => headers["content-type"]), ["text/plain", "application/x-ndjson"]);
  for (const { headers } of requests) {
    assert.equal(headers.authorization, "Bearer sng_k");
    assert.match(headers["idempotency-key"]!, /^[0-9a-f]{32}$/);
  }
});

Deno.test("M6 send reads standard input where no file is named", async () => {
  for (const args of [["--topic", "t"], ["--topic", "t", "-"]]) {
    const { code, requests } = await send(args, { stdin: ["a\nb", "c\n", "d"] });
    assert.deepEqual([code, requests.map(({ lines }) => lines)], [0, [["a", "bc", "d"]]]);
  }
});

Deno.test("the server sent to is --url, else SPARKNGIN_SEND_URL, else SPARKNGIN_URL, with or without /log", async () => {
  const asked = async (args: string[], env = {}) =>
    (await send([...args, "--topic", "t"], { stdin: ["a"], env })).requests[0]!.url;
  const env = { SPARKNGIN_URL: "https://b:1/sn/" };
  assert.equal(await asked(["--url", "a:9"], env), "http://a:9/log?topic=t");
  assert.equal(await asked(["--url", "http://a:9/sn/log"]), "http://a:9/sn/log?topic=t");
  assert.equal(await asked([], env), "https://b:1/sn/log?topic=t");
  assert.equal(await asked([], { ...env, SPARKNGIN_SEND_URL: "c:2" }), "http://c:2/log?topic=t");
});

/** Refuses each line that begins with "bad", naming the first. */
function strict({ lines }: Request): Posted {
  const bad = lines.findIndex((line) => line.includes("bad"));
  return bad < 0 ? posted(204) : posted(400, { detail: "no such thing", line: bad + 1 });
}
const mixed = { "x.ndjson": '{"a":1}\n\n{"bad":1}\n{"a":2}\n' };

Deno.test("M6 a refused line is named by file and line, and stops the sending", async () => {
  const { code, out, err } = await send(["DIR/x.ndjson"], { files: mixed, answer: strict });
  assert.deepEqual([code, out], [exitCodes.badData, ""]);
  assert.equal(
    err,
    "DIR/x.ndjson:3: no such thing\n" +
      "Stopped at that line: mend it, or leave such lines out with --on-bad skip.\n",
  );
});

Deno.test("M6 with --on-bad skip the others go on", async () => {
  const { code, out, requests } = await send(["DIR/x.ndjson", "--on-bad", "skip", "--json"], {
    files: mixed,
    answer: strict,
  });
  assert.equal(code, 0);
  assert.deepEqual(requests.at(-1)!.lines, ['{"a":1}', '{"a":2}']);
  const { ok, lines, refused, bad } = JSON.parse(out);
  assert.deepEqual([ok, lines, refused], [false, 2, 1]);
  assert.deepEqual([bad[0].line, bad[0].why], [3, "no such thing"]);
});

Deno.test("M6 a server that is away is 69, says what to do, and how far it came", async () => {
  const { code, err } = await send([
    "DIR/a.log",
    "--topic",
    "t",
    "--batch",
    "1",
    "--in-flight",
    "1",
    "--patience",
    "0s",
  ], {
    files: { "a.log": "1\n2\n3\n" },
    answer({ lines }) {
      if (lines[0] === "3") throw withCode("ECONNREFUSED", "refused");
      return posted(204);
    },
  });
  assert.equal(code, exitCodes.unreachable);
  assert.equal(
    err,
    "http://127.0.0.1:8080 takes no messages now (nothing listens there; is sparkngin running?); trying again\n" +
      "Cannot send to http://127.0.0.1:8080: nothing listens there; is sparkngin running?; --patience waits longer, " +
      "--spool keeps what is left. Taken: DIR/a.log up to line 2.\n",
  );
});

Deno.test("M6 with a spool, a server that is away is no failure: what is left waits there", lasting, async () => {
  const answer = () => {
    throw withCode("ECONNREFUSED", "refused");
  };
  const { code, err } = await send(["--topic", "t", "--spool", "DIR/spool", "--patience", "0s"], {
    stdin: ["a\nb\n"],
    answer,
  });
  assert.equal(code, 0);
  assert.match(err, /^1 requests wait in "DIR\/spool", because .* \(nothing listens there.*the next sparkngin send/m);
});

Deno.test("M6 with a checkpoint a later run sends what is new", lasting, async () => {
  const dir = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  try {
    const args = ["--topic", "t", "--checkpoint", `${dir}/state`, `${dir}/a.log`];
    await Deno.writeTextFile(`${dir}/a.log`, "1\n2\n");
    assert.deepEqual((await send(args)).requests.map(({ lines }) => lines), [["1", "2"]]);
    assert.deepEqual((await send(args)).requests, []);
    await Deno.writeTextFile(`${dir}/a.log`, "3\n", { append: true });
    assert.deepEqual((await send(args)).requests.map(({ lines }) => lines), [["3"]]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("what nobody would take says what to look at", async () => {
  const expected: [Posted, number, string][] = [
    [
      posted(401, { detail: "Show a key" }),
      exitCodes.permission,
      "Show a key; the key is taken from SPARKNGIN_KEY; --key-file names another.",
    ],
    [
      posted(404),
      exitCodes.usage,
      "it answered 404; is /log on the intake's address, and not on that of the management.",
    ],
    [
      posted(400, { detail: 'Field "topic" is missing', line: 1 }),
      exitCodes.usage,
      'Field "topic" is missing; --topic names it for all, and --format ndjson takes it from lines that are JSON objects.',
    ],
    [posted(415, { detail: "\x1b[31m" }), exitCodes.usage, "\\x1b[31m."],
  ];
  for (const [answer, code, text] of expected) {
    const sent = await send(["-"], { stdin: ["a"], answer: () => answer });
    assert.deepEqual([sent.code, sent.err], [code, `Cannot send to http://127.0.0.1:8080: ${text}\n`]);
  }
});

Deno.test("what cannot be read or understood is said in one sentence", lasting, async () => {
  const expected: [string[], number, RegExp][] = [
    [["DIR/none.log"], exitCodes.usage, /^Cannot read DIR\/none\.log: there is no such file\n$/],
    [["DIR"], exitCodes.usage, /^Cannot read DIR: .*directory/],
    [["--key-file", "/none", "-"], exitCodes.usage, /^Cannot read \/none: there is no such file\n$/],
    [["--field", "x", "-"], exitCodes.usage, /^Cannot do that: --field is "x"; expected name=value\n$/],
    [
      ["--in-flight", "0", "-"],
      exitCodes.usage,
      /^Cannot do that: --in-flight is "0"; expected a whole number from 1 to 256\n$/,
    ],
    [
      ["--linger", "x", "-"],
      exitCodes.usage,
      /^Cannot do that: --linger is "x"; expected a duration such as "30s" or "24h"\n$/,
    ],
    [
      ["--url", "ftp://x", "-"],
      exitCodes.usage,
      /^Cannot use the address "ftp:\/\/x": write it like http:\/\/127\.0\.0\.1:8080\n$/,
    ],
  ];
  for (const [args, code, err] of expected) {
    const sent = await send(args, { stdin: ["a"] });
    assert.equal(sent.code, code, args.join(" "));
    assert.match(sent.err, err);
  }
});
