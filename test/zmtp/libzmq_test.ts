/** Our sockets against libzmq, in Python, in C and under Node: a hundred connections each with a few messages and with many. */
import assert from "node:assert/strict";
import { formatEndpoint, parseEndpoint } from "../../src/config/endpoint.ts";
import { realWorld } from "../../src/os/deno.ts";
import { commandOf } from "../../src/zmtp/command.ts";
import type { Owner } from "../../src/zmtp/connection.ts";
import { encodeBatch } from "../../src/zmtp/outgoing.ts";
import { Publisher } from "../../src/zmtp/publisher.ts";
import { Pusher } from "../../src/zmtp/pusher.ts";
import { openSocket, type Socket, type SocketSettings } from "../../src/zmtp/socket.ts";
import { eventually } from "../e2e/waiting.ts";
import { bodyOf, type Make, makeOf, missing, names, Peer } from "../services/zeromq.ts";
import { bytesOf } from "./dialogue.ts";

const { clock } = realWorld();
const never = new AbortController().signal;
const runs = 100;
/** Messages of a run, and what fills each up. */
const rates = [{ count: 3, pauseMs: 1, size: 5 }, { count: 1000, pauseMs: 0, size: 170 }];

function fact(name: string, run: (make: Make) => Promise<void>): void {
  for (const peer of names) {
    const lacks = missing(peer);
    Deno.test({
      name: `${name}: ${peer}${lacks}`,
      ignore: lacks !== "",
      fn: async () => await run(await makeOf(peer)),
    });
  }
}

async function open(settings: Pick<SocketSettings, "type"> & Partial<SocketSettings>): Promise<Socket> {
  const usual = { listen: [], connect: [], clock, random: Math.random, own: () => ({}), report: () => {} };
  return await openSocket({ ...usual, ...settings });
}

/** A socket that only takes. */
class Taker {
  readonly bodies: string[] = [];
  readonly owner: Owner = {
    message: ({ bytes, from, to, count }) =>
      void this.bodies.push(String.fromCharCode(...bytes.subarray(from[count - 1], to[count - 1]))),
  };
}

function expected(count: number, size: number, from = 0): string[] {
  return Array.from({ length: runs }, (_, run) => Array.from({ length: count }, (_, i) => bodyOf(run + from, i, size)))
    .flat();
}

for (const { count, pauseMs, size } of rates) {
  fact(`M2.4 ${runs} times ${count} messages of a PUSH of libzmq all come to our PULL, in order`, async (make) => {
    for (const text of ["127.0.0.1:0", `ipc://${Deno.makeTempDirSync({ prefix: "sparkngin-test-" })}/in.sock`]) {
      const taker = new Taker();
      const socket = await open({ type: "PULL", listen: [parseEndpoint(text)!], own: () => taker.owner });
      const address = formatEndpoint(socket.endpoints[0]!);
      const to = address.startsWith("ipc") ? address : `tcp://${address}`;
      await using peer = new Peer(make, "push", ["connect", to], { count, size, runs, pauseMs });
      await peer.end();
      await eventually("all messages", () => taker.bodies.length >= runs * count);
      // Two runs may overtake each other, as they are two connections; each of them is in order.
      const byRun = taker.bodies.toSorted((a, b) => runOf(a) - runOf(b));
      assert.deepEqual(byRun, expected(count, size));
      socket.close();
    }
  });

  fact(`M2.1 ${runs} times ${count} messages of our PUSH all come to a PULL of libzmq`, async (make) => {
    await using peer = new Peer(make, "pull", ["bind", "tcp://127.0.0.1:*"], { count: runs * count });
    const connect = [parseEndpoint(await peer.address)!];
    for (let run = 0; run < runs; run++) {
      const pusher = new Pusher(512 * 1024);
      const socket = await open({ type: "PUSH", connect, own: (connection) => pusher.own(connection) });
      const bodies = Array.from({ length: count }, (_, i) => bytesOf(bodyOf(run, i, size)));
      assert.deepEqual(await pusher.push(encodeBatch(undefined, bodies), never), []);
      socket.close();
    }
    const byRun = (await peer.end()).toSorted((a, b) => runOf(a) - runOf(b));
    assert.deepEqual(byRun, expected(count, size));
  });

  fact(
    `M2.1 ${runs} times ${count} messages of our PUB, one frame each, all come to a plain SUB of libzmq`,
    async (make) => {
      await using peer = new Peer(make, "sub", ["bind", "tcp://127.0.0.1:*"], { count: runs * count });
      const connect = [parseEndpoint(await peer.address)!];
      for (let run = 0; run < runs; run++) {
        const publisher = new Publisher(1 << 24, () => assert.fail("dropped"));
        const socket = await open({ type: "PUB", connect, own: (connection) => publisher.own(connection) });
        await publisher.someone(never);
        const bodies = Array.from({ length: count }, (_, i) => bytesOf(bodyOf(run, i, size)));
        await publisher.publish(encodeBatch(undefined, bodies), never);
        await publisher.drained(never);
        socket.close();
      }
      const byRun = (await peer.end()).toSorted((a, b) => runOf(a) - runOf(b));
      assert.deepEqual(byRun, expected(count, size));
    },
  );
}

fact("M2.4 our SUB gets what a PUB of libzmq publishes, and after the publisher came back, too", async (make) => {
  const taker = new Taker();
  const subscribed = (address: string) =>
    open({
      type: "SUB",
      connect: [parseEndpoint(address.replace("tcp://", ""))!],
      own: (connection) => ({
        ...taker.owner,
        ready: ({ minor }) => {
          assert.equal(minor, 1);
          connection.send(commandOf("SUBSCRIBE", bytesOf('{"topic"')));
        },
      }),
    });
  let socket: Socket | undefined;
  let where = "tcp://127.0.0.1:*";
  for (let life = 0; life < 2; life++) {
    taker.bodies.length = 0;
    // It begins to publish after a second, and whoever comes later gets the rest: the last one counts.
    await using peer = new Peer(make, "pub", ["bind", where], { count: 600, size: 10, pauseMs: 10 });
    where = await peer.address;
    socket ??= await subscribed(where);
    await peer.end();
    await eventually("the last message", () => taker.bodies.at(-1) === bodyOf(0, 599, 10));
    const all = Array.from({ length: 600 }, (_, i) => bodyOf(0, i, 10));
    assert.deepEqual(taker.bodies, all.slice(600 - taker.bodies.length));
  }
  socket?.close();
});

fact("PUSH deals on to who is left when a peer is killed, and to it again when it is back", async (make) => {
  await using stays = new Peer(make, "pull", ["bind", "tcp://127.0.0.1:*"], { count: 1e9 });
  const dies = new Peer(make, "pull", ["bind", "tcp://127.0.0.1:*"], { count: 1e9 });
  const addresses = [await stays.address, await dies.address];
  const pusher = new Pusher(512 * 1024);
  const socket = await open({
    type: "PUSH",
    connect: addresses.map((address) => parseEndpoint(address)!),
    own: (connection) => pusher.own(connection),
  });
  const push = (run: number) =>
    pusher.push(encodeBatch(undefined, Array.from({ length: 100 }, (_, i) => bytesOf(bodyOf(run, i)))), never);
  await eventually("two peers", () => pusher.peers === 2);
  assert.deepEqual(await push(0), []);
  await dies.kill();
  await eventually("one peer", () => pusher.peers === 1);
  assert.deepEqual(await push(1), []);
  await using again = new Peer(make, "pull", ["bind", addresses[1]!], { count: 50 });
  await eventually("two peers again", () => pusher.peers === 2);
  assert.deepEqual(await push(2), []);
  assert.equal((await again.end()).length, 50);
  socket.close();
});

function runOf(body: string): number {
  return Number(/"data":"(\d+)-/.exec(body)![1]);
}
