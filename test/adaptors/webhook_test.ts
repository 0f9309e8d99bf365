/** The webhook adaptor against an HTTP server that takes, refuses, lies and dies. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { createServer, type Socket } from "node:net";
import webhook from "../../adaptors/webhook/mod.ts";
import { defaults, type Options } from "../../src/config/options.ts";
import type { Adaptor, Delivery, Result } from "../../src/deliver/adaptor.ts";
import type { Position } from "../../src/log/mod.ts";
import { formatter } from "../../src/message/format.ts";
import { realWorld } from "../../src/os/deno.ts";
import { type Certificates, makeCertificates } from "../services/certificates.ts";
import { cut, type Receiver, sayNothing, startReceiver } from "../services/receiver.ts";
import { deliveries, examine, type Examinee, never } from "./contract.ts";

type WebhookOptions = Options<typeof webhook.options>;

const world = realWorld();

async function open(options: Partial<WebhookOptions>, { signal = never(), generation = 1 } = {}): Promise<Adaptor> {
  const place = { destination: "hook", dir: "/nonexistent", world, position: 0 as Position, generation, notice() {} };
  return await webhook.open({ ...defaults(webhook.options), ...options }, place, signal);
}

examine("webhook, lines", webhook, () => begin("ndjson"));
examine("webhook, arrays", webhook, () => begin("array"));
examine("webhook, one message a request", webhook, () => begin("message"));

async function begin(body: WebhookOptions["body"]): Promise<Examinee> {
  const receiver = await startReceiver();
  return {
    open(_, signal) {
      receiver.misdeed = undefined;
      // No name: a look-up that nobody waits for any more would end in another test.
      const url = receiver.url.replace("localhost", "127.0.0.1");
      return open({ url, body, timeout: 5000 }, { signal });
    },
    bodies: async () => received(receiver, body).map((one) => one.bytes),
    ids: async () => received(receiver, body).map((one) => one.id),
    // Not once: over a kept connection that breaks a request is sent again at once.
    breakMidBatch: () => void (receiver.misdeed = cut),
    loseAnswer: () => void (receiver.misdeed = receiver.loseAnswer),
    fallSilent: () => void (receiver.misdeed = sayNothing),
    leave: () => receiver[Symbol.asyncDispose](),
  };
}

function received({ taken }: Receiver, body: WebhookOptions["body"]): { id: string; bytes: Uint8Array }[] {
  if (body === "message") return taken.map((got) => ({ id: String(got.headers["sparkngin-id"]), bytes: got.body }));
  const parse = (text: string) =>
    body === "array" ? JSON.parse(text) : text.split("\n").slice(0, -1).map((l) => JSON.parse(l));
  const all: { id: string; data_base64: string }[] = taken.flatMap(({ text }) => parse(text));
  return all.map(({ id, data_base64 }) => ({ id, bytes: Buffer.from(data_base64, "base64") }));
}

const json = formatter("json");

/** Messages as the pump gives them in the default format. */
function messages(count: number, data: (n: number) => string = (n) => `{"n":${n}}`, first = 0): Delivery[] {
  const bodies = Array.from({ length: count }, (_, n) => new TextEncoder().encode(data(first + n)));
  return deliveries({}, bodies, first).map((one) => {
    const message = { ...one.message, dataIsJson: true };
    return { ...one, message, body: json(message, one.id).slice() };
  });
}

async function sendTo(
  receiver: Receiver,
  batch: readonly Delivery[],
  options: Partial<WebhookOptions> = {},
): Promise<Result> {
  const adaptor = await open({ url: receiver.url, ...options });
  try {
    return await adaptor.send(batch, never());
  } finally {
    await adaptor.close();
  }
}

const positions = (list: readonly Delivery[]) => list.map(({ position }) => position as number);
const numbersIn = (lines: readonly string[]) => lines.map((line) => JSON.parse(line).data.n as number);

Deno.test("webhook: a batch is one POST of lines, with ids in the lines and in the headers", async () => {
  await using receiver = await startReceiver();
  assert.deepEqual(await sendTo(receiver, messages(3)), { refused: [], again: [] });
  const [got, ...more] = receiver.taken;
  assert.equal(more.length, 0);
  assert.deepEqual([got!.method, got!.path, got!.headers["content-type"]], ["POST", "/in", "application/x-ndjson"]);
  const ids = receiver.lines().map((line) => JSON.parse(line).id);
  assert.deepEqual(ids, [0, 1, 2].map((n) => `9f3c01aa27de4410-1-${n}`));
  assert.equal(got!.headers["sparkngin-first-id"], ids[0]);
  assert.equal(got!.headers["sparkngin-last-id"], ids[2]);
  assert.equal(got!.headers["sparkngin-count"], "3");
  assert.match(String(got!.headers["idempotency-key"]), /^1-0-2-[0-9a-f]{32}$/);
});

Deno.test("webhook: payloads in raw format stay one line, or are wrapped as base64", async () => {
  await using receiver = await startReceiver();
  const raw = deliveries({}, ['{"a":\n[1,\r\n2]}', "two\nlines", ""].map((text) => new TextEncoder().encode(text)));
  const batch = raw.map((one, n) => ({ ...one, message: { ...one.message, dataIsJson: n === 0 } }));
  for (const body of ["ndjson", "array"] as const) await sendTo(receiver, batch, { body });
  const expected = [
    { a: [1, 2] },
    { id: "9f3c01aa27de4410-1-1", topic: "t", data_base64: "dHdvCmxpbmVz" },
    { id: "9f3c01aa27de4410-1-2", topic: "t", data_base64: "" },
  ];
  assert.deepEqual(receiver.lines().map((line) => JSON.parse(line)), expected);
  assert.deepEqual(JSON.parse(receiver.taken[1]!.text), expected);
});

Deno.test("webhook: CloudEvents go as a batch of them", async () => {
  await using receiver = await startReceiver();
  const write = formatter("cloudevents");
  const batch = messages(3).map((one) => ({ ...one, body: write(one.message, one.id).slice() }));
  await sendTo(receiver, batch, { body: "cloudevents" });
  const [got] = receiver.taken;
  assert.equal(got!.headers["content-type"], "application/cloudevents-batch+json");
  const events = JSON.parse(got!.text) as { specversion: string; id: string; data: unknown }[];
  assert.deepEqual(events.map(({ specversion, data }) => [specversion, data]), [0, 1, 2].map((n) => ["1.0", { n }]));
});

Deno.test("webhook P7: the key of a batch is the same when it comes again, and another for any other batch", async () => {
  await using receiver = await startReceiver();
  const batch = messages(4);
  await sendTo(receiver, batch);
  await sendTo(receiver, batch);
  await sendTo(receiver, batch.slice(1));
  await sendTo(receiver, batch.map((one) => ({ ...one, id: one.id.replace("9f3c", "0000") })));
  const rewound = await open({ url: receiver.url }, { generation: 2 });
  await rewound.send(batch, never());
  await rewound.close();
  const [first, again, ...others] = receiver.taken.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(first, again);
  assert.equal(new Set([first, ...others]).size, 4);
});

for (const status of [400, 413, 415, 422]) {
  Deno.test(`webhook P15: of a batch answered ${status} the messages at fault alone are refused, the rest arrives once, in order`, async () => {
    await using receiver = await startReceiver();
    receiver.answer = ({ text }) => ({ status: /"n":(0|41|42|99)\}/.test(text) ? status : 200, text: "no\u001b[31m" });
    const { refused, again } = await sendTo(receiver, messages(100));
    assert.deepEqual(refused.map(({ delivery }) => delivery.position as number), [0, 41, 42, 99]);
    assert.deepEqual(again, []);
    assert.match(refused[0]!.reason, new RegExp(`^http://localhost:\\d+ answers ${status}: "no\\\\u001b\\[31m"$`));
    const expected = Array.from({ length: 100 }, (_, n) => n).filter((n) => ![0, 41, 42, 99].includes(n));
    assert.deepEqual(numbersIn(receiver.lines()), expected);
  });
}

Deno.test("webhook: a batch too large as a whole is halved until it fits", async () => {
  await using receiver = await startReceiver();
  receiver.answer = ({ raw }) => ({ status: raw.length > 3000 ? 413 : 200 });
  assert.deepEqual(await sendTo(receiver, messages(200)), { refused: [], again: [] });
  assert.deepEqual(numbersIn(receiver.lines()), Array.from({ length: 200 }, (_, n) => n));
});

Deno.test("webhook: who refuses everything is not asked about each message", async () => {
  await using receiver = await startReceiver();
  receiver.answer = () => ({ status: 400 });
  const { refused, again } = await sendTo(receiver, messages(1000));
  assert.deepEqual([refused.length, again.length], [100, 900]);
  assert.ok(receiver.all.length < 230, String(receiver.all.length));
});

for (const status of [401, 403, 404, 408, 409, 500, 502, 504]) {
  Deno.test(`webhook P15: ${status} is the destination's trouble`, async () => {
    await using receiver = await startReceiver();
    receiver.answer = () => ({ status });
    await assert.rejects(sendTo(receiver, messages(3)), new RegExp(`answers ${status}`));
    receiver.answer = () => ({ status: 200 });
    assert.deepEqual(await sendTo(receiver, messages(3)), { refused: [], again: [] });
  });
}

Deno.test("webhook: trouble after something was decided costs only what was not", async () => {
  await using receiver = await startReceiver();
  receiver.answer = ({ headers }) => ({
    status: receiver.all.length > 3 ? 500 : headers["sparkngin-id"]!.toString().endsWith("-1") ? 422 : 200,
  });
  const batch = messages(6);
  const { refused, again, trouble } = await sendTo(receiver, batch, { body: "message" });
  assert.deepEqual(positions(refused.map(({ delivery }) => delivery)), [1]);
  assert.deepEqual(positions(again), [3, 4, 5]);
  assert.match(trouble!, /answers 500/);
});

Deno.test("webhook: who says Retry-After is left alone so long, in seconds or by date", async () => {
  await using receiver = await startReceiver();
  const ask = async (status: number, retryAfter?: string) => {
    receiver.answer = () => ({ status, ...(retryAfter !== undefined && { headers: { "Retry-After": retryAfter } }) });
    return await sendTo(receiver, messages(2));
  };
  for (const status of [429, 503]) {
    const { refused, again, trouble, waitMs } = await ask(status, "17");
    assert.deepEqual([refused.length, again.length, waitMs], [0, 2, 17_000]);
    assert.match(trouble!, new RegExp(`answers ${status}`));
  }
  const { waitMs } = await ask(503, new Date(Date.now() + 100_000).toUTCString());
  assert.ok(waitMs! > 60_000 && waitMs! <= 100_000, String(waitMs));
  for (const nonsense of ["-1", "soon", "1e9", "99999999999999999999", undefined]) {
    assert.equal((await ask(429, nonsense)).waitMs, undefined);
  }
});

Deno.test("webhook: no redirect is followed, and the operator is told where it led", async () => {
  await using elsewhere = await startReceiver();
  await using receiver = await startReceiver();
  for (const status of [301, 302, 303, 307, 308]) {
    receiver.answer = () => ({ status, headers: { Location: elsewhere.url } });
    await assert.rejects(sendTo(receiver, messages(2)), /a redirect to "http:\/\/localhost:\d+\/in": none is followed/);
  }
  assert.equal(elsewhere.connections, 0);
});

Deno.test("webhook: what a receiver repeats of the URL, the headers and the login is not shown", async () => {
  await using receiver = await startReceiver();
  const origin = new URL(receiver.url).origin;
  const url = `${origin}/services/T0A1B2C3/hunter2%2Fhunter2?sig=hunter2-sig`;
  const headers = { "X-Key": "hunter2-header" };
  const echo = {
    text:
      "Cannot POST /services/T0A1B2C3/hunter2%2Fhunter2 hunter2/hunter2 hunter2-sig hunter2-header Bearer hunter2-token",
  };
  const answers = [{ status: 404 }, { status: 503 }, { status: 308, headers: { Location: `${url}&more=hunter2-sig` } }];
  for (const answer of answers) {
    receiver.answer = () => ({ ...echo, ...answer });
    const said = await sendTo(receiver, messages(1), { url, headers, bearer: "hunter2-token" })
      .then(({ trouble }) => trouble!, (problem: Error) => problem.message);
    assert.ok(said.includes(`${origin} answers ${answer.status}`), said);
    assert.ok(!/hunter2|T0A1B2C3/.test(said), said);
  }
});

Deno.test("webhook: signatures of both secrets are over the time and the body as it was sent", async () => {
  await using receiver = await startReceiver();
  const secrets = { signature_secret: "new", signature_secret_previous: "old" };
  await sendTo(receiver, messages(2), { ...secrets, compression: "gzip" });
  await sendTo(receiver, messages(2), { signature_secret: "new" });
  const [both, one] = receiver.taken;
  const made = (secret: string, t: string, body: Uint8Array) =>
    createHmac("sha256", secret).update(`${t}.`).update(body).digest("hex");
  const [, t, first, second] = /^t=(\d{10}),v1=([0-9a-f]{64}),v1=([0-9a-f]{64})$/.exec(
    String(both!.headers["sparkngin-signature"]),
  )!;
  assert.deepEqual([first, second], [made("new", t!, both!.raw), made("old", t!, both!.raw)]);
  assert.equal(both!.headers["content-encoding"], "gzip");
  assert.equal(both!.text.split("\n").length, 3);
  assert.match(String(one!.headers["sparkngin-signature"]), /^t=\d{10},v1=[0-9a-f]{64}$/);
});

Deno.test("webhook: logs in with a name and password, or a token, and sends the headers it is given", async () => {
  await using receiver = await startReceiver();
  await sendTo(receiver, messages(1), {
    username: "ev",
    password: "pä:ss",
    headers: { "X-Team": "web", "user-agent": "ours" },
  });
  await sendTo(receiver, messages(1), { bearer: "t0ken" });
  const [basic, bearer] = receiver.taken.map(({ headers }) => headers);
  assert.equal(basic!.authorization, `Basic ${Buffer.from("ev:pä:ss").toString("base64")}`);
  assert.deepEqual([basic!["x-team"], basic!["user-agent"]], ["web", "ours"]);
  assert.equal(bearer!.authorization, "Bearer t0ken");
});

Deno.test("webhook: options that make no sense are refused with what to do", async () => {
  const url = "http://localhost:1/";
  const cases: [Partial<WebhookOptions>, RegExp][] = [
    [{ url, username: "a" }, /username and password need each other/],
    [{ url, username: "a", password: "b", bearer: "c" }, /not both/],
    [{ url, bearer: "a\nb" }, /control characters/],
    [{ url, tls_ca: "/ca.pem" }, /url does not begin with https:/],
    [{ url: "https://localhost:1/", tls_cert: "-----BEGIN" }, /tls_cert and tls_key need each other/],
    [{ url, signature_secret_previous: "a" }, /needs signature_secret/],
  ];
  for (const [options, expected] of cases) await assert.rejects(open(options), expected);
  const { url: urls, headers, allow } = webhook.options;
  for (const bad of ["ftp://a/", "nowhere", "http://user:pw@host/", "http://host/#part", 7]) {
    assert.throws(() => urls.read(bad), TypeError);
  }
  const names = ["Host", "content-length", "Transfer-Encoding", "Sparkngin-Id", "a b", "", "é"];
  for (const name of names) assert.throws(() => headers.read({ [name]: "x" }), TypeError, name);
  assert.throws(() => headers.read({ "X-A": "a\r\nHost: b" }), TypeError);
  for (const bad of ["10.0.0.0/33", "10.0.0.0/x", "a b", "http://x", "::/129", ""]) {
    assert.throws(() => allow.read([bad]), TypeError, bad);
  }
  assert.ok(headers.secret);
});

Deno.test("webhook: over TLS by its own CA, with a certificate of its own if the receiver asks", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const made = await makeCertificates(dir);
    await trusted(made);
    await expired(made);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

async function trusted({ ca, server, client }: Certificates): Promise<void> {
  await using receiver = await startReceiver({ tls: { ...server, clientCA: ca } });
  const mine = { tls_ca: ca, tls_cert: client.cert, tls_key: client.key };
  assert.deepEqual(await sendTo(receiver, messages(2), mine), { refused: [], again: [] });
  const pem = { ...mine, tls_ca: await Deno.readTextFile(ca) };
  assert.deepEqual(await sendTo(receiver, messages(2), pem), { refused: [], again: [] });
  await assert.rejects(sendTo(receiver, messages(2), { tls_ca: ca }), /Cannot send to https:/);
  await assert.rejects(sendTo(receiver, messages(2)), /Cannot send to https:.*(certificate|VERIFY|CERT)/i);
  assert.equal(receiver.taken.length, 2);
}

async function expired({ ca, expired }: Certificates): Promise<void> {
  await using receiver = await startReceiver({ tls: expired });
  await assert.rejects(sendTo(receiver, messages(2), { tls_ca: ca }), /expired/i);
  assert.equal(receiver.all.length, 0);
}

Deno.test("webhook: only where it may go, by the address that a name has", async () => {
  await using receiver = await startReceiver();
  const byAddress = receiver.url.replace("localhost", "127.0.0.1");
  for (const allow of [["localhost"], ["127.0.0.0/8"], ["hooks.example.com", "127.0.0.1", "::1"]]) {
    assert.deepEqual(await sendTo(receiver, messages(1), { allow }), { refused: [], again: [] });
  }
  for (const url of [receiver.url, byAddress]) {
    const refusal = /127\.0\.0\.1, which is not in allow/;
    await assert.rejects(sendTo(receiver, messages(1), { url, allow: ["hooks.example.com", "10.0.0.0/8"] }), refusal);
  }
  for (
    const host of [
      "169.254.169.254",
      "[fe80::1]",
      "[::ffff:169.254.169.254]",
      "0.0.0.0",
      "2852039166",
      "[fd00:ec2::254]",
      "[64:ff9b::a9fe:a9fe]",
    ]
  ) {
    await assert.rejects(
      sendTo(receiver, messages(1), { url: `http://${host}:${receiver.port}/` }),
      /list the address in allow/,
    );
  }
  assert.equal(receiver.taken.length, 3);
});

/** Bytes that no HTTP client should meet. `undefined` leaves the connection open. */
const nonsense: Readonly<Record<string, (socket: Socket) => void>> = {
  "no HTTP at all": (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
  "zeros": (socket) => socket.end(Buffer.alloc(5000)),
  "a head without end": (socket) => flood(socket, "HTTP/1.1 200 OK\r\n", `X-A: ${"a".repeat(1000)}\r\n`),
  "a status line without end": (socket) => flood(socket, "HTTP/1.1 200 ", "O".repeat(1000)),
  "half a head": (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-"),
  "two lengths": (socket) => socket.end("HTTP/1.1 500 X\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc"),
  "nothing": (socket) => socket.end(),
  "another protocol": (socket) => socket.write("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
  "for ever on the way": (socket) => flood(socket, "", "HTTP/1.1 100 Continue\r\n\r\n"),
};

function flood(socket: Socket, head: string, piece: string): void {
  socket.write(head);
  const more = () => {
    while (!socket.destroyed && socket.write(piece)) continue;
  };
  socket.on("drain", more);
  more();
}

for (const [what, say] of Object.entries(nonsense)) {
  Deno.test(`webhook: an answer that is ${what} is trouble, and takes neither time nor room`, async () => {
    await using liar = await lyingServer(say);
    const adaptor = await open({ url: liar.url, timeout: 1500 });
    const before = Deno.memoryUsage().rss;
    await assert.rejects(adaptor.send(messages(3), never()), /^Error: Cannot send/);
    // Kept, it would be gigabytes; what both sides throw away stays for a while.
    assert.ok(Deno.memoryUsage().rss - before < 600e6);
    await adaptor.close();
  });
}

Deno.test("webhook: a 200 with a body without end is a 200", async () => {
  await using liar = await lyingServer((socket) => flood(socket, "HTTP/1.1 200 OK\r\n\r\n", "x".repeat(1000)));
  const adaptor = await open({ url: liar.url, timeout: 10_000 });
  assert.deepEqual(await adaptor.send(messages(3), never()), { refused: [], again: [] });
  await adaptor.close();
});

async function lyingServer(say: (socket: Socket) => void): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => say(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

Deno.test("webhook: a receiver that says nothing is given up after timeout, which the pump then hears", async () => {
  await using receiver = await startReceiver();
  receiver.misdeed = sayNothing;
  const adaptor = await open({ url: receiver.url, timeout: 300 });
  await assert.rejects(adaptor.send(messages(2), never()), /no answer within 300 ms/);
  receiver.misdeed = undefined;
  await adaptor.close();
  const next = await open({ url: receiver.url });
  assert.deepEqual(await next.send(messages(2), never()), { refused: [], again: [] });
  await next.close();
});

Deno.test("webhook: a check finds out whether the receiver is there, and asks it nothing", async () => {
  const receiver = await startReceiver();
  const { url } = receiver;
  const place = { destination: "hook", dir: "/", world, position: 0 as Position, generation: 1, notice() {} };
  const check = (options: Partial<WebhookOptions>) =>
    webhook.check!({ ...defaults(webhook.options), url, ...options }, place, never());
  await check({});
  await assert.rejects(check({ allow: ["10.0.0.0/8"] }), /not in allow/);
  await assert.rejects(check({ url: url.replace("http:", "https:"), timeout: 1000 }), /Cannot reach https:/);
  await receiver[Symbol.asyncDispose]();
  assert.equal(receiver.all.length, 0);
  await assert.rejects(check({ url }), /Cannot reach http:.*refused/i);
});

Deno.test("webhook: batches share a connection", async () => {
  await using receiver = await startReceiver();
  const adaptor = await open({ url: receiver.url });
  for (let at = 0; at < 20; at++) await adaptor.send(messages(5, undefined, at * 5), never());
  await adaptor.close();
  assert.deepEqual(numbersIn(receiver.lines()), Array.from({ length: 100 }, (_, n) => n));
  assert.equal(receiver.connections, 1);
});
