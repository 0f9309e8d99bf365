/** Connections on a stream of the test's, with a clock of the test's. */
import assert from "node:assert/strict";
import { commandOf, pingCommand } from "../../src/zmtp/command.ts";
import { Connection, type Owner, type Stream } from "../../src/zmtp/connection.ts";
import { messageOf } from "../../src/zmtp/frame.ts";
import { encodeBatch } from "../../src/zmtp/outgoing.ts";
import { Publisher } from "../../src/zmtp/publisher.ts";
import { Pusher } from "../../src/zmtp/pusher.ts";
import type { Refusal } from "../../src/zmtp/refusal.ts";
import { frameLimits } from "../../src/zmtp/session.ts";
import type { OwnType } from "../../src/zmtp/socket_type.ts";
import { bytesOf, hello, joined } from "./dialogue.ts";

const never = new AbortController().signal;

/** One end is the connection's, the other the test's. */
class Pipe implements Stream {
  readonly peer = "10.0.0.1";
  readonly written: Uint8Array[] = [];
  /** Nothing goes out while it is stuck. */
  stuck = false;
  closed = false;
  #waiting: ((bytes: Uint8Array | null) => void) | undefined;
  #coming: Uint8Array[] = [];
  #unstuck = Promise.withResolvers<void>();

  async read(into: Uint8Array): Promise<number | null> {
    const bytes = this.#coming.shift() ?? await new Promise<Uint8Array | null>((resolve) => this.#waiting = resolve);
    if (bytes === null) return null;
    into.set(bytes.subarray(0, into.length));
    if (bytes.length > into.length) this.#coming.unshift(bytes.subarray(into.length));
    return Math.min(bytes.length, into.length);
  }
  async write(bytes: Uint8Array): Promise<number> {
    if (this.stuck) await this.#unstuck.promise;
    this.written.push(bytes.slice());
    return bytes.length;
  }
  close(): void {
    this.closed = true;
    this.#waiting?.(null);
  }
  say(...pieces: Uint8Array[]): void {
    const bytes = joined(...pieces);
    if (this.#waiting === undefined) this.#coming.push(bytes);
    else this.#waiting(bytes);
    this.#waiting = undefined;
  }
  unstick(): void {
    this.stuck = false;
    this.#unstuck.resolve();
  }
}

interface Trial {
  readonly pipe: Pipe;
  readonly connection: Connection;
  /** Monotonic ms. */
  readonly time: { now: number };
  refusal: Refusal | undefined;
}

async function begin(type: OwnType, own: (connection: Connection) => Owner, greeted?: Uint8Array): Promise<Trial> {
  const pipe = new Pipe();
  const time = { now: 0 };
  const limits = { handshakeMs: 2000, heartbeatMs: 30_000, elapsed: () => time.now };
  const connection = new Connection(pipe, { type, frames: frameLimits, ...limits });
  const trial: Trial = { pipe, connection, time, refusal: undefined };
  const owner = own(trial.connection);
  const closed = (refusal?: Refusal) => {
    trial.refusal = refusal;
    owner.closed?.(refusal);
  };
  void trial.connection.run({ ...owner, closed });
  if (greeted !== undefined) pipe.say(greeted);
  await settled();
  return trial;
}

/** All that is ready has run. */
async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

function lookAt(trial: Trial, now: number): void {
  trial.time.now = now;
  trial.connection.look();
}

Deno.test("a handshake may take two seconds", async () => {
  const trial = await begin("PULL", () => ({}));
  lookAt(trial, 1999);
  assert.ok(!trial.pipe.closed);
  lookAt(trial, 2000);
  assert.deepEqual([trial.pipe.closed, trial.refusal?.code], [true, "too-slow"]);
});

Deno.test("RFC 37: who is silent is asked by PING, and is gone when silent for as long again", async () => {
  const trial = await begin("PULL", () => ({}), hello("PUSH"));
  lookAt(trial, 29_999);
  await settled();
  assert.equal(trial.pipe.written.length, 2);
  lookAt(trial, 30_000);
  await settled();
  assert.deepEqual(trial.pipe.written[2], pingCommand(60_000));
  trial.pipe.say(commandOf("PONG", new Uint8Array(0)));
  await settled();
  lookAt(trial, 60_000);
  await settled();
  assert.equal(trial.pipe.written.length, 4);
  lookAt(trial, 89_999);
  assert.ok(!trial.pipe.closed);
  lookAt(trial, 90_000);
  assert.deepEqual([trial.pipe.closed, trial.refusal?.detail], [true, "it is silent"]);
});

Deno.test("RFC 23: who speaks 3.0 knows no PING and is not asked", async () => {
  const trial = await begin("PULL", () => ({}), hello("PUSH", 0));
  lookAt(trial, 1e9);
  await settled();
  assert.deepEqual([trial.pipe.written.length, trial.pipe.closed], [2, false]);
});

Deno.test("nothing more is read until what came is taken, and that is no silence", async () => {
  const taken = Promise.withResolvers<void>();
  let messages = 0;
  const owner = { message: () => void messages++, taken: () => taken.promise };
  const trial = await begin("PULL", () => owner, joined(hello("PUSH"), messageOf([bytesOf("one")])));
  trial.pipe.say(messageOf([bytesOf("two")]));
  lookAt(trial, 1e9);
  await settled();
  assert.deepEqual([messages, trial.pipe.closed], [1, false]);
  taken.resolve();
  await settled();
  assert.equal(messages, 2);
  trial.connection.close();
});

Deno.test("a subscriber that asks for ever whether we are there, and reads nothing, takes no room", async () => {
  const trial = await begin("PUB", () => ({ subscribe: () => undefined }), hello("SUB"));
  trial.pipe.stuck = true;
  const pings = joined(...Array.from({ length: 4096 }, () => pingCommand(1000)));
  for (let i = 0; i < 60; i++) {
    trial.pipe.say(pings);
    await settled();
  }
  assert.ok(trial.connection.queued < 1_200_000, `${trial.connection.queued}`);
  trial.pipe.unstick();
  trial.connection.close();
});

Deno.test("what is sent in one turn goes out in one piece", async () => {
  const trial = await begin("PUSH", () => ({}), hello("PULL"));
  const before = trial.pipe.written.length;
  for (let i = 0; i < 60; i++) trial.connection.send(bytesOf(`${i} `));
  await settled();
  assert.equal(trial.pipe.written.length, before + 1);
  trial.connection.close();
});

Deno.test("RFC 29: a subscriber slower than the fastest loses what is beyond the high-water mark, and only that one", async () => {
  const dropped: number[] = [];
  const publisher = new Publisher(1_000_000, (_, count) => void dropped.push(count));
  const subscriber = joined(hello("SUB"), commandOf("SUBSCRIBE", new Uint8Array(0)));
  const slow = await begin("PUB", (connection) => publisher.own(connection), subscriber);
  const fast = await begin("PUB", (connection) => publisher.own(connection), subscriber);
  slow.pipe.stuck = true;
  const batch = encodeBatch(undefined, Array.from({ length: 100 }, () => new Uint8Array(4000)));
  for (let i = 0; i < 4; i++) {
    await publisher.publish(batch, never);
    await settled();
  }
  const bytes = fast.pipe.written.slice(2).reduce((sum, { length }) => sum + length, 0);
  assert.equal(bytes, 4 * batch.bytes.length);
  assert.ok(slow.connection.queued <= 1_000_000, `${slow.connection.queued}`);
  assert.equal(dropped.reduce((sum, count) => sum + count, 0), 400 - Math.floor(slow.connection.queued / 4009));
  // Who takes nothing for two minutes is gone.
  lookAt(slow, 119_999);
  assert.ok(!slow.pipe.closed);
  lookAt(slow, 120_000);
  assert.equal(slow.refusal?.detail, "it takes nothing");
  slow.pipe.unstick();
  fast.connection.close();
});

Deno.test("RFC 30: PUSH waits for a peer with room, and gives another one what a lost connection left", async () => {
  const pusher = new Pusher(10_000);
  const stuck = await begin("PUSH", (connection) => pusher.own(connection), hello("PULL"));
  stuck.pipe.stuck = true;
  const bodies = Array.from({ length: 50 }, (_, i) => bytesOf(`${i}`.padEnd(1000, "x")));
  let left: number[] | undefined;
  const pushing = pusher.push(encodeBatch(undefined, bodies), never).then((found) => left = found);
  await settled();
  assert.deepEqual([left, stuck.connection.queued <= 11_000], [undefined, true]);
  const other = await begin("PUSH", (connection) => pusher.own(connection), hello("PULL"));
  stuck.connection.close();
  stuck.pipe.unstick();
  await pushing;
  assert.deepEqual(left, []);
  const all = new TextDecoder().decode(joined(...other.pipe.written.slice(2)));
  assert.deepEqual(bodies.filter((body) => !all.includes(new TextDecoder().decode(body))), []);
  other.connection.close();
});
