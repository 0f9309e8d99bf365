import assert from "node:assert";
import { BodyRoom } from "../../src/ingest/body_room.ts";
import { accepted, type Answer, type HttpRequest } from "../../src/ingest/http.ts";
import type { Handle } from "../../src/ingest/routes.ts";
import { bytesOf, Client, converse, Listener, quiet, textOf } from "./client.ts";
import { openNode, spanText } from "./fakes.ts";
import { problemAnswer } from "../../src/ingest/problem.ts";
import { next, type RawRequest, requests, smuggled } from "./requests.ts";

/** The routes over a log that is safe at once. */
function openIntake() {
  const node = openNode();
  node.log.durable = () => Promise.resolve();
  return node;
}

/** What a raw request and the one behind it led to. */
async function outcomeOf({ raw, ends }: RawRequest) {
  const { log, handle } = openIntake();
  const { client: { replies }, reports } = await converse([raw + (ends ? smuggled : next)], handle);
  return {
    answers: replies.map(({ status }) => status),
    ends: replies.at(-1)?.headers.connection === "close",
    topics: [...new Set(log.messages.map(({ topic }) => topic))].filter((topic) => topic !== "edge"),
    reports,
  };
}

Deno.test(`M1.1 P4 each of ${requests.length} raw requests is answered as HTTP/1.1 says`, async () => {
  assert.ok(requests.length >= 150);
  for (const request of requests) {
    const { answers, ends, topics, reports } = await outcomeOf(request);
    const wanted = request.ends ? request.answers : [...request.answers, 204];
    const name = `${request.fact} (${request.why})`;
    assert.deepEqual([name, answers, ends], [name, wanted, request.ends]);
    assert.deepEqual([name, topics, reports], [name, request.ends ? [] : ["next"], []]);
  }
});

Deno.test("P4 it makes no difference where a request is cut in two", async () => {
  for (const { fact, raw } of requests.filter(({ raw }) => raw.length < 1000)) {
    const bytes = bytesOf(raw + next);
    const { client: { taken } } = await converse([bytes]);
    for (let at = 1; at < bytes.length; at++) {
      const { client } = await converse([bytes.slice(0, at), bytes.slice(at)]);
      assert.equal(client.taken, taken, `${fact}, cut at ${at}`);
    }
  }
});

Deno.test("P4 it makes no difference when every byte comes alone", async () => {
  for (const { fact, raw } of requests.filter(({ raw }) => raw.length < 10_000)) {
    const bytes = bytesOf(raw + next);
    const { client: { taken } } = await converse([bytes]);
    const { client } = await converse(Array.from(bytes, (byte) => Uint8Array.of(byte)));
    assert.equal(client.taken, taken, fact);
  }
});

const get = "GET /log HTTP/1.1\r\nHost: x\r\n\r\n";
const post = (length: number, lines = "") =>
  `POST /log HTTP/1.1\r\nHost: x\r\n${lines}Content-Length: ${length}\r\n\r\n`;
const chunkedPost = "POST /log HTTP/1.1\r\nHost: x\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n";

/** A connection that is being served, and how it ends. */
function open(handle?: Handle) {
  const listener = new Listener();
  const client = new Client();
  const connection = listener.connect(client, handle);
  const ended = connection.run();
  /** Lets so many ms pass, and the sweep come by. */
  const pass = async (ms: number): Promise<boolean> => {
    await quiet();
    listener.now += ms;
    if (connection.overdue) connection.expire();
    await quiet();
    return client.closed;
  };
  return { listener, client, connection, ended, pass };
}

/** Routes that answer when the test says so. */
function slowRoutes() {
  const waiting: ((answer: Answer) => void)[] = [];
  const asked: string[] = [];
  const handle: Handle = (request) => {
    asked.push(spanText(request.target));
    return new Promise((resolve) => void waiting.push(resolve));
  };
  return { asked, handle, answer: (answer: Answer = accepted) => waiting.shift()!(answer) };
}

function statuses({ replies }: Client): number[] {
  return replies.map(({ status }) => status);
}

Deno.test("the fields of a request can be read when its body is there", async () => {
  const seen: (string | null)[] = [];
  const handle: Handle = async (request) => {
    const body = await request.body(1 << 20);
    await quiet();
    seen.push(request.header("x"), textOf(body), spanText(request.target));
    return accepted;
  };
  const body = "abcdefgh".repeat(2500);
  const chunks = "1f40\r\n" + body.slice(0, 8000) + "\r\n2ee0\r\n" + body.slice(8000) + "\r\n0\r\n\r\n";
  for (const text of [post(20_000, "X: y\r\n") + body, chunkedPost + chunks]) {
    const bytes = bytesOf(text + text + get);
    for (const step of [7, 1000, 4096, 5000, 70_000]) {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += step) pieces.push(bytes.slice(at, at + step));
      const { client } = await converse(pieces, handle);
      assert.deepEqual(statuses(client), [204, 204, 204]);
      assert.deepEqual(seen.splice(0), ["y", body, "/log", "y", body, "/log", null, "", "/log"]);
    }
  }
});

Deno.test("a head of any length before a body that comes later", async () => {
  for (let length = 4080; length < 4110; length++) {
    for (const [head, body] of [[post(2), "{}"], [chunkedPost, "2\r\n{}\r\n0\r\n\r\n"]] as const) {
      const long = head.replace("Host", `Y: ${"y".repeat(length - head.length - 5)}\r\nHost`);
      const { client, asked } = await converse([long, body, get]);
      assert.deepEqual([long.length, statuses(client), asked[0]!.body], [length, [204, 204], "{}"]);
    }
  }
});

Deno.test("a body stays as it is while the next request waits behind it", async () => {
  const bodies: string[] = [];
  const handle: Handle = async (request) => {
    const body = await request.body(100);
    await quiet();
    bodies.push(textOf(body));
    return accepted;
  };
  await converse([post(3) + "one" + post(3) + "two" + post(5) + "th", "ree" + get], handle);
  assert.deepEqual(bodies, ["one", "two", "three", ""]);
});

Deno.test("the body of a request is read once", async () => {
  const handle: Handle = async (request) => {
    await request.body(100);
    await assert.rejects(request.body(100), /again/);
    return accepted;
  };
  assert.deepEqual(
    statuses((await converse([post(2) + "{}" + get], handle)).client),
    [204, 204],
  );
});

Deno.test("an answer is whole although the client takes it byte by byte", async () => {
  const body = "é".repeat(3000);
  const handle: Handle = (request) => request.method === "GET" ? { status: 200, headers: { a: "b" }, body } : accepted;
  const client = new Client().send(get + post(0) + get).end();
  client.takesAtMost = 1;
  await new Listener().connect(client, handle).run();
  assert.deepEqual(statuses(client), [200, 204, 200]);
  for (const i of [0, 2]) assert.equal(client.replies[i]!.body, textOf(new TextEncoder().encode(body)));
});

Deno.test("what the answers of a connection say of themselves", async () => {
  const answers: Answer[] = [accepted, { status: 200, headers: { a: "b" }, body: "é" }, { status: 200, headers: {} }];
  const head = get.replace("GET", "HEAD");
  const old = get.replace("1.1", "1.0").replace("Host: x", "Connection: keep-alive");
  let i = 0;
  const { client } = await converse([(get + head + old).repeat(3)], () => answers[Math.floor(i++ / 3)]!);
  const date = "date: Sun, 01 Mar 2026 12:00:00 GMT\r\n";
  const stored = `HTTP/1.1 204 No Content\r\n${date}sparkngin-ack: disk\r\ncache-control: no-store\r\n`;
  const ok = `HTTP/1.1 200 OK\r\n${date}`;
  const plain = "x-content-type-options: nosniff\r\n";
  assert.equal(
    client.taken,
    `${stored}\r\n${stored}\r\n${stored}connection: keep-alive\r\n\r\n` +
      `${ok}a: b\r\ncontent-length: 2\r\n${plain}\r\n\xc3\xa9${ok}a: b\r\n${plain}\r\n` +
      `${ok}a: b\r\ncontent-length: 2\r\n${plain}connection: keep-alive\r\n\r\n\xc3\xa9` +
      `${ok}content-length: 0\r\n\r\n${ok}\r\n${ok}content-length: 0\r\nconnection: keep-alive\r\n\r\n`,
  );
});

Deno.test("an answer with a body says that browsers are not to guess what it is", async () => {
  const { handle } = openNode();
  const { client } = await converse([get.replace("/log", "/") + get.replace("/log", "/no")], handle);
  const guessed = client.replies.map(({ headers }) => headers["x-content-type-options"]);
  assert.deepEqual(guessed, ["nosniff", "nosniff"]);
});

Deno.test("answers come in the order of the requests, one request at a time", async () => {
  const { asked, handle, answer } = slowRoutes();
  const { client, ended } = open(handle);
  client.send(get.replace("/log", "/a") + get.replace("/log", "/b")).end();
  await quiet();
  assert.deepEqual(asked, ["/a"]);
  answer({ status: 404, headers: {} });
  await quiet();
  assert.deepEqual(asked, ["/a", "/b"]);
  answer();
  await ended;
  assert.deepEqual(statuses(client), [404, 204]);
});

Deno.test("P4 a body that is too large is refused before it is read, and its sender is heard out", async () => {
  for (const head of [post(100_000), chunkedPost + "186a0\r\n"]) {
    const { client, ended, pass } = open();
    client.send(head);
    await quiet();
    assert.deepEqual(statuses(client), [413]);
    assert.equal(client.replies[0]!.headers.connection, "close");
    assert.deepEqual([client.finished, client.closed], [true, false]);
    for (let i = 0; i < 10; i++) client.send("x".repeat(10_000));
    assert.equal(await pass(2000), false);
    client.end();
    await ended;
    assert.equal(client.closed, true);
  }
});

Deno.test("P4 who sends on and on behind the last answer is cut off", async () => {
  const { client, ended } = open();
  client.send(post(100_000_000), ...Array<Uint8Array>(17 * 16).fill(new Uint8Array(1 << 16)));
  await ended;
  assert.deepEqual([statuses(client), client.closed], [[413], true]);
});

Deno.test("M1.1 a client that waits for it hears 100 when its body is wanted", async () => {
  const { listener, client } = open();
  client.send(post(2, "Expect: 100-continue\r\n"));
  await quiet();
  assert.equal(client.taken, "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("{}" + get).end();
  await quiet();
  assert.deepEqual(statuses(client), [100, 204, 204]);
  assert.deepEqual(listener.asked.map(({ body }) => body), ["{}", ""]);
});

Deno.test("M1.1 a client that waits hears no 100 when its body is not wanted", async () => {
  const refuse: Handle = () => ({ status: 404, headers: {} });
  for (const [length, handle, status] of [[2, refuse, 404], [100_000, undefined, 413]] as const) {
    const { client } = open(handle);
    client.send(post(length, "Expect: 100-continue\r\n"));
    await quiet();
    assert.deepEqual(statuses(client), [status]);
    assert.equal(client.replies[0]!.headers.connection, "close");
  }
});

Deno.test("100 waits until the answer before it is written", async () => {
  const { client } = open();
  const taking = Promise.withResolvers<void>();
  client.blocked = taking.promise;
  client.takesAtMost = 10;
  client.send(get + post(2, "Expect: 100-continue\r\n"));
  await quiet();
  assert.equal(client.taken, "");
  client.blocked = undefined;
  taking.resolve();
  await quiet();
  client.send("{}");
  await quiet();
  assert.deepEqual(statuses(client), [204, 100, 204]);
});

Deno.test("P4 a mistake of ours is answered with 500, tells nothing, and ends the connection", async () => {
  const mistakes: Handle[] = [() => {
    throw new TypeError("secret");
  }, () => Promise.reject(new TypeError("secret"))];
  for (const handle of mistakes) {
    const { client, reports } = await converse([get + smuggled], handle);
    assert.equal((reports[0] as Error).message, "secret");
    assert.equal(reports.length, 1);
    const [{ status, headers, body }, ...more] = client.replies as [typeof client.replies[0], ...unknown[]];
    assert.deepEqual([status, more, headers.connection], [500, [], "close"]);
    assert.equal(headers["content-type"], "application/problem+json");
    assert.equal(JSON.parse(body).type, "/errors/internal");
    assert.ok(!body.includes("secret"));
  }
});

/** Routes that read every body. */
const reading: Handle = async (request) => {
  try {
    await request.body(1 << 20);
    return accepted;
  } catch {
    return problemAnswer({ code: "bad-request", detail: "The body was lost" });
  }
};

Deno.test("P4 a client that is too slow becomes overdue, and hears 408 if it has begun a request", async () => {
  const slow = async (text: string, ms: number, answers: number[], handle = reading) => {
    const { client, ended, pass, listener } = open(handle);
    client.send(text);
    assert.equal(await pass(ms), false, `${text} is overdue before ${ms}`);
    assert.equal(await pass(2), true, `${text} is not overdue after ${ms}`);
    await ended;
    assert.deepEqual([statuses(client), listener.reports], [answers, []], text);
    if (answers.includes(408)) assert.equal(client.replies.at(-1)!.headers.connection, "close");
  };
  await slow("", 75_000, []);
  await slow(get, 75_000, [204]);
  await slow("G", 10_000, [408]);
  await slow(get + "GET /log HTTP/1.1\r\n", 10_000, [204, 408]);
  await slow("\r\n", 10_000, [408]);
  await slow(post(10), 5000, [408]);
  await slow(chunkedPost, 5000, [408]);
  await slow(post(5000) + "x".repeat(1024), 5000, [408]);
  await slow(post(100_000), 5000, [408]);
  // What was accepted stays so, although the body that nobody asked for does not come.
  await slow(post(10), 5000, [204], () => accepted);
  await slow(post(100_000), 3000, [204], () => accepted);
});

Deno.test("P4 a head cannot be stretched by sending a byte now and then", async () => {
  const { client, pass } = open();
  for (let i = 0; i < 10; i++) {
    client.send("G");
    assert.equal(await pass(i === 9 ? 1001 : 1000), i === 9);
  }
});

Deno.test("P4 a body comes at 1 KiB a second and pauses for 30 s at most", async () => {
  for (const head of [post(60_000), chunkedPost + "ea60\r\n"]) {
    const steady = open();
    steady.client.send(head);
    for (let i = 0; i < 50; i++) {
      assert.equal(await steady.pass(1000), false);
      steady.client.send("x".repeat(1024));
    }
    const slower = open();
    slower.client.send(head);
    let seconds = 0;
    while (!await slower.pass(1000)) {
      slower.client.send("x".repeat(512));
      seconds++;
    }
    assert.ok(seconds >= 9 && seconds <= 11, `${seconds}`);
    const fast = open();
    fast.client.send(head, "x".repeat(59_999));
    assert.equal(await fast.pass(30_000), false);
    assert.equal(await fast.pass(2), true);
  }
});

Deno.test("P4 a client that does not take its answers becomes overdue", async () => {
  const { client, ended, pass } = open();
  client.blocked = new Promise(() => {});
  client.send(get + get);
  assert.equal(await pass(30_000), false);
  assert.equal(await pass(2), true);
  await ended;
});

Deno.test("an answer may take its time", async () => {
  const { handle, answer } = slowRoutes();
  const { client, pass, ended } = open(handle);
  client.send(get).end();
  assert.equal(await pass(3_600_000), false);
  answer();
  await ended;
  assert.deepEqual(statuses(client), [204]);
});

Deno.test("P20 draining ends an idle connection at once", async () => {
  const { client, connection, ended } = open();
  client.send(get);
  await quiet();
  connection.drain();
  await ended;
  assert.deepEqual([statuses(client), client.closed], [[204], true]);
});

Deno.test("P20 draining answers the request under way, and says that it was the last", async () => {
  const { handle, answer, asked } = slowRoutes();
  const { client, connection, ended } = open(handle);
  client.send(get + get);
  await quiet();
  connection.drain();
  answer();
  await quiet();
  client.end();
  await ended;
  assert.deepEqual([statuses(client), asked.length], [[204], 1]);
  assert.equal(client.replies[0]!.headers.connection, "close");
});

Deno.test("P20 draining while an answer is written ends the connection behind it", async () => {
  const { client, connection, ended } = open(() => ({ status: 200, headers: {}, body: "x".repeat(2000) }));
  const taking = Promise.withResolvers<void>();
  client.blocked = taking.promise;
  client.send(get);
  await quiet();
  connection.drain();
  taking.resolve();
  await quiet();
  assert.deepEqual([statuses(client), client.finished], [[200], true]);
  client.end();
  await ended;
});

Deno.test("P20 draining waits for a request whose head has begun", async () => {
  const { client, connection, ended } = open();
  client.send(get.slice(0, 10));
  await quiet();
  connection.drain();
  client.send(get.slice(10)).end();
  await ended;
  assert.deepEqual(statuses(client), [204]);
});

Deno.test("P20 draining waits until the last answer is written", async () => {
  const { client, connection, ended } = open();
  const taking = Promise.withResolvers<void>();
  client.blocked = taking.promise;
  client.send(get);
  await quiet();
  assert.equal(connection.busy, true);
  connection.drain();
  await quiet();
  assert.equal(client.closed, false);
  client.blocked = undefined;
  taking.resolve();
  client.end();
  await ended;
  assert.deepEqual(statuses(client), [204]);
});

Deno.test("a connection that is closed from outside ends quietly, whatever it does", async () => {
  const { handle, answer } = slowRoutes();
  const busy = open(handle);
  busy.client.send(get + get);
  await quiet();
  busy.connection.close();
  answer();
  await busy.ended;
  const states: ((client: Client) => void)[] = [
    () => {},
    (client) => client.send("GET"),
    (client) => client.send(post(10)),
    (client) => client.send(chunkedPost),
    (client) => client.send(post(100_000)),
    (client) => {
      client.blocked = new Promise(() => {});
      client.send(get);
    },
    (client) => {
      client.blocked = new Promise(() => {});
      client.send(get + get + post(2, "Expect: 100-continue\r\n"));
    },
  ];
  for (const enter of states) {
    const { client, connection, ended, listener } = open();
    enter(client);
    await quiet();
    connection.close();
    connection.close();
    await ended;
    assert.deepEqual([client.closed, listener.reports], [true, []]);
  }
});

Deno.test("a client that goes away is no mistake of ours", async () => {
  for (const text of ["", "GET", get, post(10), post(10) + "x", chunkedPost + "2\r\n{", post(100_000)]) {
    for (const go of [(client: Client) => client.reset(), (client: Client) => client.end()]) {
      const { client, ended, listener } = open();
      client.send(text);
      await quiet();
      go(client);
      await ended;
      assert.deepEqual([client.closed, listener.reports], [true, []]);
    }
  }
});

Deno.test("what was asked before a client's last word is answered", async () => {
  const { client } = await converse([get + "GET /cut"]);
  assert.deepEqual(statuses(client), [204]);
});

Deno.test("P4 an idle connection holds 4 KiB, whatever it held before", async () => {
  const long = get.replace("Host", `X: ${"y".repeat(30_000)}\r\nHost`);
  const chunks = `${chunkedPost}c350\r\n${"x".repeat(50_000)}\r\n0\r\n\r\n`;
  for (const text of ["", get, long, post(60_000) + "x".repeat(60_000), chunks]) {
    const { client } = open();
    client.send(text);
    await quiet();
    assert.equal(client.room, 4096);
  }
});

Deno.test("P16 bodies of all connections take a limited memory; who finds none is told to come again, and it is given back", async () => {
  const listener = new Listener();
  const room = listener.room = new BodyRoom(100_000);
  const { handle } = openIntake();
  const connect = () => {
    const client = new Client();
    return { client, ended: listener.connect(client, handle).run() };
  };
  const first = connect();
  first.client.send(post(60_000, "Content-Type: text/plain\r\n"), "x".repeat(59_999));
  await quiet();
  for (const head of [post(60_000), chunkedPost + "ea60\r\n"]) {
    const second = connect();
    second.client.send(head, "x".repeat(60_000)).end();
    await second.ended;
    const [{ status, headers, body }] = second.client.replies as [typeof second.client.replies[0]];
    assert.deepEqual([status, headers["retry-after"], headers.connection], [503, "1", "close"]);
    assert.equal(JSON.parse(body).type, "/errors/busy");
  }
  first.client.send("x");
  await quiet();
  const gone = connect();
  gone.client.send(post(60_000), "x".repeat(50_000)).reset();
  await gone.ended;
  assert.ok(room.take(100_000));
  first.client.end();
  await first.ended;
  assert.deepEqual(listener.reports, []);
});

Deno.test("P4 a body takes the room of what came, not of what is announced", async () => {
  const { client } = open((request: HttpRequest) => request.body(1 << 30).then(() => accepted));
  const head = post(1 << 30);
  client.send(head);
  await quiet();
  assert.equal(client.room, 4096 - head.length);
  client.send(new Uint8Array(client.room));
  await quiet();
  assert.equal(client.room, 65_536 - (4096 - head.length));
  client.send(new Uint8Array(client.room));
  await quiet();
  assert.equal(client.room, 3 * 65_536);
});

Deno.test("P4 a body that comes bit by bit stays behind its head, and the next request is read as ever", async () => {
  const { client, listener } = open();
  for (const text of [post(3000), "x".repeat(2999), "x", chunkedPost, "3\r\nabc", "\r\n0\r\n\r\n", get]) {
    client.send(text);
    await quiet();
  }
  assert.deepEqual(statuses(client), [204, 204, 204]);
  assert.deepEqual(listener.asked.map(({ body }) => body), ["x".repeat(3000), "abc", ""]);
  assert.equal(client.room, 4096);
});
