/** The edge over real connections: the executable answers as one in memory does, the server bounds who connects. */
import assert from "node:assert";
import { accepted, type Answer } from "../../src/ingest/http.ts";
import type { Handle } from "../../src/ingest/routes.ts";
import { serveHttp, type ServerOptions } from "../../src/ingest/server.ts";
import { realWorld } from "../../src/os/deno.ts";
import { bytesOf } from "../ingest/client.ts";
import { next, type RawRequest, requests, smuggled } from "../ingest/requests.ts";
import { Connection, Disconnected, getRequest } from "./connection.ts";
import { startNode } from "./node.ts";
import { arrived, outputFiles } from "./output.ts";
import { eventually, within } from "./waiting.ts";

Deno.test(`M1.1 P4: each of ${requests.length} raw requests gets the answer that HTTP/1.1 wants`, async () => {
  await using node = await startNode();
  const left = requests.slice();
  const worker = async () => {
    for (let request = left.pop(); request; request = left.pop()) await assertAnswered(node.http, request);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  const out = `${node.dir}/data/out`;
  const good = requests.filter(({ ends }) => !ends).length;
  assert.equal((await arrived(out, "next", good)).length, good);
  assert.deepEqual(await outputFiles(out, "smuggled", [""]), []);
  assert.equal(await node.stop(), 0);
});

/** The answers, and then an answer to the next request or the end of the connection. */
async function assertAnswered(address: string, { fact, why, raw, answers, ends }: RawRequest): Promise<void> {
  using connection = await Connection.open(address);
  await connection.send(bytesOf(raw + (ends ? smuggled : next)));
  const name = `${fact} (${why})`;
  const found: number[] = [];
  for (const _ of ends ? answers : [...answers, 204]) {
    found.push((await within(`an answer to ${name}`, connection.reply())).status);
  }
  assert.deepEqual([name, found], [name, ends ? answers : [...answers, 204]]);
  if (ends) await assert.rejects(within(`the end of ${name}`, connection.reply()), Disconnected);
}

const { clock } = realWorld();
const yes: Handle = () => accepted;

function serve(options: Partial<ServerOptions> = {}) {
  const report = (text: string) => {
    throw new Error(text);
  };
  const usual = {
    listen: "127.0.0.1:0",
    handle: yes,
    clock,
    connectionsMax: 100,
    connectionsPerAddress: 100,
    bodiesMax: 1 << 20,
    report,
  };
  return serveHttp({ ...usual, ...options });
}

for (const limit of ["connectionsMax", "connectionsPerAddress"] as const) {
  Deno.test(`P4: who comes beyond ${limit} hears 503, and is taken when another has gone`, async () => {
    const server = await serve({ [limit]: 2 });
    const first = await Connection.open(server.address);
    using second = await Connection.open(server.address);
    for (const connection of [first, second]) assert.equal((await connection.ask(getRequest("/"))).status, 204);
    {
      using third = await Connection.open(server.address);
      const { status, headers } = await third.reply();
      assert.deepEqual([status, headers.get("retry-after"), headers.get("connection")], [503, "1", "close"]);
    }
    first.close();
    await eventually("room for another", async () => {
      using fourth = await Connection.open(server.address);
      return (await fourth.ask(getRequest("/"))).status === 204;
    });
    await server.shutdown();
  });
}

Deno.test("a port that another has is refused with the system's code", async () => {
  const server = await serve();
  await assert.rejects(serve({ listen: server.address }), { code: "EADDRINUSE" });
  await server.shutdown();
});

Deno.test("P20: a shutdown takes nobody else, answers what is under way, and then ends", async () => {
  const answers: ((answer: Answer) => void)[] = [];
  const server = await serve({ handle: () => new Promise((resolve) => void answers.push(resolve)) });
  using idle = await Connection.open(server.address);
  using busy = await Connection.open(server.address);
  await busy.send(getRequest("/"));
  await eventually("the request", () => answers.length === 1);
  let ended = false;
  const end = server.shutdown().then(() => ended = true);
  await assert.rejects(idle.reply(), Disconnected);
  await assert.rejects(Connection.open(server.address));
  assert.equal(ended, false);
  answers[0]!(accepted);
  const { status, headers } = await busy.reply();
  assert.deepEqual([status, headers.get("connection")], [204, "close"]);
  busy.close();
  await end;
});

Deno.test("P20: an abort ends what a shutdown waits for", async () => {
  const asked = Promise.withResolvers<void>();
  const handle: Handle = () => {
    asked.resolve();
    return new Promise(() => {});
  };
  const server = await serve({ handle });
  using reading = await Connection.open(server.address);
  await reading.send("POST / HTTP/1.1\r\n");
  using busy = await Connection.open(server.address);
  await busy.send(getRequest("/"));
  await asked.promise;
  void server.shutdown();
  server.abort();
  for (const connection of [busy, reading]) await assert.rejects(connection.reply());
});

Deno.test("P4: a slow client is cut off, and the others are served", async () => {
  // A hundred times as fast, so that ten seconds are over soon.
  const fast = { ...clock, elapsed: () => performance.now() * 100 };
  const server = await serve({ clock: fast });
  using slow = await Connection.open(server.address);
  await slow.send("GET / HTTP/1.1\r\n");
  assert.equal((await within("its answer", slow.reply())).status, 408);
  await assert.rejects(within("its end", slow.reply()), Disconnected);
  using good = await Connection.open(server.address);
  assert.equal((await good.ask(getRequest("/"))).status, 204);
  good.close();
  await server.shutdown();
});
