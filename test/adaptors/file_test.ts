import assert from "node:assert/strict";
import { crc32, gunzipSync, zstdDecompressSync } from "node:zlib";
import file from "../../adaptors/file/mod.ts";
import { compressions } from "../../src/message/compression.ts";
import { safePart, Template } from "../../adaptors/file/path.ts";
import { excess, type Finished } from "../../adaptors/file/retention.ts";
import { decodeLedger, encodeState, encodeStep, ledgerName, lockName } from "../../adaptors/file/wire.ts";
import { defaults } from "../../src/config/options.ts";
import type { Adaptor, Delivery } from "../../src/deliver/adaptor.ts";
import type { Position } from "../../src/log/mod.ts";
import type { Message } from "../../src/message/message.ts";
import { realWorld } from "../../src/os/deno.ts";
import type { World } from "../../src/os/world.ts";
import { chance, pick } from "../sim/chance.ts";
import { SimWorld } from "../sim/world.ts";
import { examine, never } from "./contract.ts";

const dir = "data/out";
const hourMs = 3_600_000;
/** The simulated clock's beginning: 2026-03-01 12:00 UTC. */
const noon = Date.UTC(2026, 2, 1, 12);

interface Opening {
  readonly position?: number;
  readonly generation?: number;
  readonly destination?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly notices?: string[];
}
function open(world: World, { position = 0, generation = 1, destination = "file", options, notices }: Opening = {}) {
  const place = {
    destination,
    dir,
    world,
    position: position as Position,
    notice: (text: string) => void notices?.push(text),
    generation,
  };
  return file.open({ ...defaults(file.options), dir: undefined, ...options }, place, never());
}

/** A message whose line names its position. */
function line(position: number, fields: Partial<Message> = {}): Delivery {
  const message = { topic: "web", timestamp: noon, data: new Uint8Array(0), dataIsJson: false, ...fields };
  const body = new TextEncoder().encode(`${position} ${message.topic}`);
  return { id: `n-1-${position}`, position: position as Position, message, body };
}
const lines = (first: number, count: number, fields: Partial<Message> = {}) =>
  Array.from({ length: count }, (_, at) => line(first + at, fields));

const isLine = (path: string) => !path.includes(ledgerName);
const paths = (world: SimWorld) => world.filesUnder(dir).filter(isLine).map((path) => path.slice(dir.length + 1));
const content = (world: SimWorld, path: string) =>
  new TextDecoder().decode(unpacked(path, world.fileBytes(`${dir}/${path}`)));

/** What a reader of such files sees, who must be able to read them to the end. */
function unpacked(path: string, bytes: Uint8Array): Uint8Array {
  if (/\.gz(\.open)?$/.test(path)) return bytes.length === 0 ? bytes : gunzipSync(bytes);
  if (!/\.zst(\.open)?$/.test(path)) return bytes;
  // The decoder of node:zlib stops after one frame.
  const found: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(8, true);
    assert.ok(at + 12 + length <= bytes.length, `${path} ends in half a frame`);
    found.push(...zstdDecompressSync(bytes.subarray(at + 12, at + 12 + length)));
    at += 12 + length;
  }
  return new Uint8Array(found);
}
/** What is in the files, in the order of their first positions. */
function allLines(world: SimWorld, among: (path: string) => boolean = () => true): string[] {
  const position = (path: string) => /-(\d{20})/.exec(path)![1]!;
  return paths(world).filter(among).sort((a, b) => position(a) < position(b) ? -1 : 1)
    .flatMap((path) => {
      const lines = content(world, path).split("\n");
      assert.equal(lines.pop(), "", `${path} ends in half a line`);
      return lines;
    });
}
const asWritten = (all: readonly Delivery[]) => all.map(({ body }) => new TextDecoder().decode(body));

examine("file", file, async () => {
  const world = new SimWorld(1);
  let breaks = 0;
  return {
    open: (position, signal) =>
      file.open({ ...defaults(file.options), dir: undefined }, {
        destination: "file",
        dir,
        world,
        position: position as Position,
        generation: 1,
        notice() {},
      }, signal),
    async bodies() {
      return paths(world).flatMap((path) => splitLines(world.fileBytes(`${dir}/${path}`)));
    },
    breakMidBatch: () => world.failNth([2, 4, 3, 1][breaks++ % 4]!, "EIO", { kinds: ["write", "sync"] }),
  };
}, { lines: true });

function splitLines(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(10, at);
    found.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return found;
}

Deno.test("M4 4.3 a file is named by topic, day, hour and first position, and .open until it is finished", async () => {
  const world = new SimWorld(1);
  const adaptor = await open(world, { position: 40 });
  const { receipt } = await adaptor.send([line(40), line(41, { topic: "app" }), line(42)], never());
  assert.deepEqual(paths(world), [
    "app/2026-03-01/12-00000000000000000041.ndjson.open",
    "web/2026-03-01/12-00000000000000000040.ndjson.open",
  ]);
  assert.equal(receipt, "app/2026-03-01/12-00000000000000000041.ndjson, web/2026-03-01/12-00000000000000000040.ndjson");
  await adaptor.close();
  assert.equal(content(world, "web/2026-03-01/12-00000000000000000040.ndjson"), "40 web\n42 web\n");
  assert.equal(content(world, "app/2026-03-01/12-00000000000000000041.ndjson"), "41 app\n");
});

Deno.test("what was taken survives a power cut, with its names", async () => {
  for (let seed = 0; seed < 100; seed++) {
    const world = new SimWorld(seed);
    const adaptor = await open(world.boot());
    await adaptor.send(lines(0, 3), never());
    await adaptor.send([...lines(3, 2), line(5, { topic: "app" })], never());
    world.cutPower();
    assert.deepEqual(allLines(world), ["0 web", "1 web", "2 web", "3 web", "4 web", "5 app"]);
  }
});

Deno.test("a file is finished when its hour is over, by the clock while there is nothing to send", async () => {
  const world = new SimWorld(1);
  const adaptor = await open(world);
  await adaptor.send(lines(0, 1), never());
  await adaptor.idle!();
  assert.deepEqual(paths(world), ["web/2026-03-01/12-00000000000000000000.ndjson.open"]);
  await world.run(hourMs);
  await adaptor.idle!();
  assert.deepEqual(paths(world), ["web/2026-03-01/12-00000000000000000000.ndjson"]);
});

Deno.test("a file is finished when messages of a later hour come and none of its own", async () => {
  const world = new SimWorld(1);
  const adaptor = await open(world);
  await adaptor.send([line(0), line(1, { timestamp: noon + hourMs })], never());
  assert.equal(paths(world).filter((path) => path.endsWith(".open")).length, 2);
  await adaptor.send([line(2, { timestamp: noon + hourMs })], never());
  assert.deepEqual(paths(world), [
    "web/2026-03-01/12-00000000000000000000.ndjson",
    "web/2026-03-01/13-00000000000000000001.ndjson.open",
  ]);
});

Deno.test("a file is finished when it is large, and the next begins with the next position", async () => {
  const world = new SimWorld(1);
  const adaptor = await open(world, { options: { roll_bytes: 10 } });
  await adaptor.send(lines(0, 2), never());
  await adaptor.send(lines(2, 1), never());
  assert.deepEqual(paths(world), [
    "web/2026-03-01/12-00000000000000000000.ndjson",
    "web/2026-03-01/12-00000000000000000002.ndjson.open",
  ]);
});

Deno.test("what was written after the last taken batch is cut at the next start", async () => {
  const world = new SimWorld(1);
  await (await open(world.boot())).send(lines(0, 2), never());
  const path = `${dir}/web/2026-03-01/12-00000000000000000000.ndjson.open`;
  world.writeFile(path, new TextEncoder().encode("0 web\n1 web\n2 w"));
  world.killProcess();
  const adaptor = await open(world.boot(), { position: 2 });
  await adaptor.send(lines(2, 1), never());
  await adaptor.close();
  assert.deepEqual(allLines(world), ["0 web", "1 web", "2 web"]);
});

Deno.test("P2 what is sent to files or a directory that somebody has removed is not taken, and written anew", async () => {
  for (const removed of [isLine, (path: string) => !isLine(path), () => true]) {
    const world = new SimWorld(3);
    const adaptor = await open(world);
    await adaptor.send(lines(0, 3), never());
    for (const path of world.filesUnder(dir).filter(removed)) world.files.remove(path);
    await assert.rejects(
      adaptor.send(lines(3, 3), never()),
      /^Error: Cannot write files in "data\/out": "[^"]+" is gone/,
    );
    await adaptor.close();
    const next = await open(world, { position: 3 });
    assert.deepEqual(await next.send(lines(3, 3), never()).then(({ again }) => again), []);
    await next.close();
    assert.deepEqual(allLines(world).slice(-3), asWritten(lines(3, 3)));
    assert.equal(new Set(allLines(world)).size, allLines(world).length);
  }
});

Deno.test("messages that come again because the cursor was behind are not written again", async () => {
  const world = new SimWorld(1);
  await (await open(world.boot())).send(lines(0, 5), never());
  world.killProcess();
  const adaptor = await open(world.boot(), { position: 2 });
  assert.deepEqual(await adaptor.send(lines(2, 3), never()), { refused: [], again: [] });
  await adaptor.send(lines(4, 3), never());
  await adaptor.close();
  assert.deepEqual(allLines(world), asWritten(lines(0, 7)));
});

Deno.test("a position that a damaged log gave out twice is told by its time, and written", async () => {
  const world = new SimWorld(1);
  await (await open(world.boot())).send(lines(0, 5), never());
  world.killProcess();
  const adaptor = await open(world.boot(), { position: 3 });
  await adaptor.send(lines(3, 2, { timestamp: noon + 1, topic: "new" }), never());
  assert.deepEqual(allLines(world, (path) => path.startsWith("new")), ["3 new", "4 new"]);
});

Deno.test("a new generation is written whole, into files of its own", async () => {
  const world = new SimWorld(1);
  const first = await open(world, { generation: 1 });
  await first.send(lines(0, 3), never());
  await first.close();
  const again = await open(world, { generation: 2 });
  await again.send(lines(0, 3), never());
  await again.close();
  assert.deepEqual(paths(world), [
    "web/2026-03-01/12-00000000000000000000.2.ndjson",
    "web/2026-03-01/12-00000000000000000000.ndjson",
  ]);
  assert.equal(content(world, paths(world)[0]!), content(world, paths(world)[1]!));
});

Deno.test("a directory belongs to one destination and one process", async () => {
  const world = new SimWorld(1);
  await (await open(world)).close();
  await assert.rejects(() => open(world, { destination: "other" }), /belongs to destination "file".*a dir of its own/);
  await assert.rejects(() => open(world.boot(), {}), /another process does/);
});

Deno.test("P2 a directory that was removed and made again is locked again, and not taken from who has locked it since", async () => {
  for (const removed of [() => true, (path: string) => path.endsWith(lockName)]) {
    const world = new SimWorld(1);
    const adaptor = await open(world);
    await adaptor.send(lines(0, 1), never());
    const remove = () => world.filesUnder(dir).filter(removed).forEach((path) => world.files.remove(path));
    remove();
    await assert.rejects(adaptor.send(lines(1, 1), never()), /is gone; it is begun anew/);
    await adaptor.close();
    const again = await open(world, { position: 1 });
    await assert.rejects(() => open(world.boot()), /another process does \(destination "file", run [0-9a-f]{8}\)$/);
    await again.send(lines(1, 1), never());
    await again.close();
    remove();
    await open(world.boot());
    await assert.rejects(() => open(world, { position: 2 }), /another process does/);
  }
});

// A lock is held until the process ends.
Deno.test("P2 on a real disk, too, a lock that was removed is taken again", { sanitizeResources: false }, async () => {
  const home = await Deno.makeTempDir();
  try {
    const world = realWorld();
    const options = { dir: `${home}/out` };
    const adaptor = await open(world, { options });
    await adaptor.send(lines(0, 1), never());
    await Deno.remove(options.dir, { recursive: true });
    await assert.rejects(adaptor.send(lines(1, 1), never()));
    await adaptor.close();
    const again = await open(world, { options, position: 1 });
    await again.send(lines(1, 1), never());
    await again.close();
    await (await open(world, { options, position: 2 })).close();
    await assert.rejects(() => open(realWorld(), { options }), /another process does/);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("P19 a ledger of a newer version is refused, untouched", async () => {
  const world = new SimWorld(1);
  const json = '{"step":0,"version":2}';
  const bytes = new TextEncoder().encode(`${crc32(json).toString(16).padStart(8, "0")} ${json}\n\n`);
  world.writeFile(`${dir}/${ledgerName}`, bytes);
  await assert.rejects(() => open(world), /its version is 2, this program reads 1/);
  assert.deepEqual(world.fileBytes(`${dir}/${ledgerName}`), bytes);
});

Deno.test("P9 without its ledger nothing is lost: whole lines are kept, and come twice at most", async () => {
  for (const damage of ["removed", "overwritten"]) {
    const world = new SimWorld(1);
    await (await open(world.boot())).send(lines(0, 3), never());
    const path = `${dir}/${paths(world)[0]}`;
    world.writeFile(path, new TextEncoder().encode("0 web\n1 web\n2 web\n3 w"));
    world.writeFile(`${dir}/${ledgerName}`, new Uint8Array(100));
    if (damage === "removed") world.files.remove(`${dir}/${ledgerName}`);
    world.killProcess();
    const notices: string[] = [];
    const adaptor = await open(world.boot(), { position: 1, notices });
    await adaptor.send(lines(1, 3), never());
    await adaptor.close();
    assert.deepEqual(allLines(world), ["0 web", "1 web", "2 web", "1 web", "2 web", "3 web"]);
    assert.match(notices.join(), damage === "removed" ? /is missing/ : /is damaged/);
    assert.equal(world.files.exists(`${dir}/${ledgerName}.damaged`), damage === "overwritten");
  }
});

Deno.test("P9 without its ledger nothing is lost of compressed files either, and each can be read to its end", async () => {
  for (const compression of ["gzip", "zstd"]) {
    const world = new SimWorld(1);
    const options = { compression };
    const first = await open(world.boot(), { options });
    await first.send(lines(0, 3), never());
    await first.send(lines(3, 2), never());
    const path = paths(world)[0]!;
    const whole = world.fileBytes(`${dir}/${path}`).slice();
    for (let cut = 0; cut <= whole.length; cut++) {
      const torn = new SimWorld(1);
      torn.files.makeDir(`${dir}/web/2026-03-01`);
      torn.writeFile(`${dir}/${path}`, whole.subarray(0, cut));
      await (await open(torn.boot(), { options })).close();
      const found = allLines(torn);
      assert.deepEqual(found, asWritten(lines(0, cut === whole.length ? 5 : found.length)), `${compression} at ${cut}`);
      assert.ok([0, 3, 5].includes(found.length));
    }
    // The last member is as long as it should be, and not what was written.
    const garbled = new SimWorld(1);
    garbled.files.makeDir(`${dir}/web/2026-03-01`);
    garbled.writeFile(`${dir}/${path}`, whole.map((byte, at) => at >= whole.length - 9 ? 0 : byte));
    await (await open(garbled.boot(), { options })).close();
    assert.deepEqual(allLines(garbled), asWritten(lines(0, 3)));
  }
});

Deno.test("M4 4.3 a compressed file is called so, and a copy of it, too", async () => {
  const world = new SimWorld(1);
  for (const generation of [1, 2]) {
    const adaptor = await open(world.boot(), { generation, options: { compression: "gzip" } });
    await adaptor.send(lines(0, 3), never());
    await adaptor.close();
    world.killProcess();
  }
  assert.deepEqual(paths(world), [
    "web/2026-03-01/12-00000000000000000000.2.ndjson.gz",
    "web/2026-03-01/12-00000000000000000000.ndjson.gz",
  ]);
});

Deno.test("P8 no flipped byte of the ledger loses a message or brings a wrong one", async () => {
  const begin = async () => {
    const world = new SimWorld(1);
    const adaptor = await open(world.boot());
    for (let at = 0; at < 4; at += 2) {
      await adaptor.send([...lines(at, 1), ...lines(at + 1, 1, { topic: "app" })], never());
    }
    world.killProcess();
    return world;
  };
  const expected = [...Array(4).keys()].map((at) => `${at} ${at % 2 ? "app" : "web"}`);
  const { length } = (await begin()).fileBytes(`${dir}/${ledgerName}`);
  for (let at = 0; at < length; at++) {
    const world = await begin();
    world.flipByte(`${dir}/${ledgerName}`, at, at % 8);
    await (await open(world.boot(), { position: 4 })).close();
    assert.deepEqual(allLines(world).sort(), expected, `byte ${at}`);
  }
});

function sizeOf(world: SimWorld, path: string): number {
  const file = world.files.open(path);
  const size = file.size();
  file.close();
  return size;
}

Deno.test("a ledger that grew long is written anew, and says the same", async () => {
  const world = new SimWorld(1);
  const adaptor = await open(world.boot());
  let largest = 0;
  for (let at = 0; at < 3000; at++) {
    await adaptor.send(lines(at, 1, { topic: `${at % 2}${"x".repeat(90)}` }), never());
    largest = Math.max(largest, sizeOf(world, `${dir}/${ledgerName}`));
  }
  assert.ok(largest > 1 << 20 && sizeOf(world, `${dir}/${ledgerName}`) < largest);
  world.cutPower();
  await (await open(world.boot(), { position: 3000 })).close();
  assert.equal(allLines(world).length, 3000);
});

Deno.test("hundreds of topics at once are written with few open handles, each into one file", async () => {
  const world = new SimWorld(1);
  const adaptor = await open(world);
  const batch = (first: number) => Array.from({ length: 300 }, (_, at) => line(first + at, { topic: `t${at}` }));
  await adaptor.send(batch(0), never());
  await adaptor.send(batch(300), never());
  await adaptor.close();
  assert.equal(paths(world).length, 300);
  assert.equal(content(world, paths(world)[0]!), "0 t0\n300 t0\n");
});

Deno.test("beyond 1024 unfinished files the least recently used is finished", async () => {
  const world = new SimWorld(1);
  const adaptor = await open(world);
  await adaptor.send(Array.from({ length: 1100 }, (_, at) => line(at, { topic: `t${at}` })), never());
  const finished = paths(world).filter((path) => !path.endsWith(".open"));
  assert.equal(finished.length, 1100 - 1024);
  assert.ok(finished.includes("t0/2026-03-01/12-00000000000000000000.ndjson"));
});

Deno.test("P12 on a full disk nothing is taken and no half line stays; with room again all arrives once", async () => {
  const world = new SimWorld(1);
  let adaptor = await open(world);
  await adaptor.send(lines(0, 3), never());
  world.capacity = 4 * 4096;
  const large = lines(3, 10).map((delivery) => ({ ...delivery, body: new Uint8Array(5000).fill(0x78) }));
  await assert.rejects(() => adaptor.send(large, never()), { code: "ENOSPC" });
  assert.deepEqual(allLines(world), ["0 web", "1 web", "2 web"]);
  await adaptor.close();
  world.capacity = 1e9;
  adaptor = await open(world, { position: 3 });
  await adaptor.send(large, never());
  await adaptor.close();
  assert.deepEqual(allLines(world).slice(3), large.map(() => "x".repeat(5000)));
});

/** What a pump does: from the cursor on, in batches; on a failure anew. Its cursor may lag at a crash. */
class MiniPump {
  cursor = 0;
  durable = 0;
  readonly #world: SimWorld;
  readonly #messages: readonly Delivery[];
  readonly #random: () => number;
  readonly #compression: string;

  constructor(world: SimWorld, messages: readonly Delivery[], random: () => number, compression = "none") {
    this.#world = world;
    this.#messages = messages;
    this.#random = random;
    this.#compression = compression;
  }
  /** Until everything is sent and the adaptor closed, or the machine stops. */
  async run(program: World): Promise<void> {
    for (;;) {
      let adaptor: Adaptor | undefined;
      try {
        const options = { roll_bytes: 5000, compression: this.#compression };
        adaptor = await open(program, { position: this.cursor, options });
        await this.#sendAll(adaptor);
        return await adaptor.close();
      } catch (problem) {
        if (this.#world.stopped) throw problem;
        await adaptor?.close().catch(() => {});
      }
    }
  }
  async #sendAll(adaptor: Adaptor): Promise<void> {
    for (;;) {
      const batch = this.#messages.filter(({ position }) => position >= this.cursor).slice(
        0,
        1 + pick(this.#random, 12),
      );
      if (batch.length === 0) return;
      this.#world.setWall(batch[0]!.message.timestamp);
      await adaptor.send(batch, never());
      this.cursor = batch.at(-1)!.position + 1 + pick(this.#random, 2);
      if (this.#random() < 0.3) this.durable = this.cursor;
      if (this.#random() < 0.1) await adaptor.idle!();
    }
  }
  /** The power is cut, or the process killed: then the cursor's last write is kept. */
  crash(): void {
    if (this.#random() < 0.3) return this.#world.killProcess();
    this.#world.cutPower();
    this.cursor = this.durable + pick(this.#random, this.cursor - this.durable + 1);
  }
}

/** Every other position only, over several hours and topics. */
function someMessages(random: () => number): Delivery[] {
  let timestamp = noon;
  return Array.from({ length: 40 + pick(random, 60) }, (_, at) => {
    timestamp += random() < 0.05 ? hourMs / 2 : pick(random, 1000);
    const given = line(2 * at, { topic: `topic${pick(random, 3)}`, timestamp });
    const body = new TextEncoder().encode(`${2 * at} ${given.message.topic} ${"x".repeat(pick(random, 1500))}`);
    return { ...given, body };
  });
}

Deno.test("P2 P7 power cuts, kills and disk errors at any moment: each message is in the files once, in order", async () => {
  for (let seed = 0; seed < 500; seed++) {
    const world = new SimWorld(seed);
    const random = chance(seed + 1_000_000);
    const messages = someMessages(random);
    const pump = new MiniPump(world, messages, random, compressions[seed % 3]);
    for (let life = 0; life < 6; life++) {
      const program = world.boot();
      world.stopAt(1 + pick(random, 120));
      if (random() < 0.5) {
        const code = ["EIO", "ENOSPC", "EINTR"][pick(random, 3)]!;
        world.failNth(1 + pick(random, 60), code, { short: random() < 0.5 });
      }
      await pump.run(program).catch(() => {});
      world.heal();
      pump.crash();
    }
    await pump.run(world.boot());
    assertOnce(world, messages, `seed ${seed}`);
  }
});

Deno.test("P2 whichever call fails, with whatever error, once: each message is in the files once, in order", async () => {
  for (const code of ["EIO", "ENOSPC", "EINTR", "EMFILE"]) {
    for (let n = 1, fired = true; fired; n++) {
      const world = new SimWorld(n);
      const random = chance(n);
      const messages = someMessages(random);
      const pump = new MiniPump(world, messages, random, compressions[n % 3]);
      world.failNth(n, code, { short: n % 2 === 0 });
      await pump.run(world);
      fired = !world.faultsPending;
      assertOnce(world, messages, `${code} at call ${n}`);
    }
  }
});

function assertOnce(world: SimWorld, messages: readonly Delivery[], hint: string): void {
  assert.deepEqual(paths(world).filter((path) => path.endsWith(".open")), [], hint);
  assert.equal(world.openHandles, 0, hint);
  for (const topic of ["topic0", "topic1", "topic2"]) {
    const sent = asWritten(messages.filter(({ message }) => message.topic === topic));
    const found = allLines(world, (path) => path.startsWith(`${topic}/`));
    // The beginnings first: they are easier to read.
    assert.deepEqual(found.map((text) => text.slice(0, 20)), sent.map((text) => text.slice(0, 20)), hint);
    assert.deepEqual(found, sent, hint);
  }
}

Deno.test("finished files go when they are too old or too many, the oldest first, and empty directories with them", async () => {
  const world = new SimWorld(1);
  world.writeFile(`${dir}/web/2026-02-28/notes.txt`, new Uint8Array(1));
  world.writeFile(`${dir}/web/2026-02-20/23-00000000000000000001.ndjson`, new Uint8Array(1));
  world.writeFile(`${dir}/web/2026-02-28/10-00000000000000000002.ndjson`, new Uint8Array(1000));
  world.writeFile(`${dir}/web/2026-02-28/11-00000000000000000003.ndjson`, new Uint8Array(1000));
  const adaptor = await open(world, { position: 4, options: { keep_max: 1500 } });
  await adaptor.send(lines(4, 1), never());
  assert.deepEqual(paths(world), [
    "web/2026-02-28/11-00000000000000000003.ndjson",
    "web/2026-02-28/notes.txt",
    "web/2026-03-01/12-00000000000000000004.ndjson.open",
  ]);
  assert.ok(!world.files.exists(`${dir}/web/2026-02-20`));
  world.setWall(noon + 8 * 24 * hourMs);
  await world.run(60_000);
  await adaptor.idle!();
  assert.deepEqual(paths(world), ["web/2026-02-28/notes.txt"]);
});

Deno.test("trouble with old files stops no delivery", async () => {
  const world = new SimWorld(1);
  world.writeFile(`${dir}/web/2026-02-20/23-00000000000000000001.ndjson`, new Uint8Array(1));
  const notices: string[] = [];
  const adaptor = await open(world, { position: 4, notices });
  world.failNth(1, "EACCES", { kinds: ["remove"] });
  await adaptor.send(lines(4, 1), never());
  assert.match(notices.join(), /cannot remove old files/);
});

Deno.test("retention takes the oldest positions until the rest fits, and the old by the time in the name", () => {
  const files: Finished[] = [3, 1, 2].map((n) => ({ name: `f${n}`, position: `${n}`, bytes: 10, end: n * 1000 }));
  const gone = (keepMs: number, keepBytes: number) =>
    excess(files, 5000, { keepMs, keepBytes }).map(({ name }) => name);
  assert.deepEqual(gone(0, 0), []);
  assert.deepEqual(gone(0, 30), []);
  assert.deepEqual(gone(0, 29), ["f1"]);
  assert.deepEqual(gone(0, 1), ["f1", "f2", "f3"]);
  assert.deepEqual(gone(3500, 0), ["f1"]);
  assert.deepEqual(excess([{ ...files[0]!, end: undefined }], 1e15, { keepMs: 1, keepBytes: 0 }), []);
});

Deno.test("a template may use topic, env, type and level, in Hive style too", () => {
  const template = new Template("topic=%topic%/env=%env%/dt=%date%/%hour%-%level%");
  const message = { ...line(0).message, env: "prod", level: "info" };
  assert.equal(template.stem(message), "topic=web/env=prod/dt=2026-03-01/12-info");
  assert.ok(template.matcher(".ndjson").test("topic=web/env=_/dt=2026-03-01/12-info-00000000000000000007.ndjson"));
  assert.ok(!template.matcher(".ndjson").test("topic=web/env=_/dt=2026-03-01/12-info-7.ndjson"));
});

Deno.test("a template that leaves the directory or names what is not there is refused", () => {
  for (const text of ["", "/a", "a//b", "../a", "a/..", ".a/%topic%", "%user%", "a%", "a b", "a\\b", "x".repeat(201)]) {
    assert.throws(() => file.options.template.read(text), TypeError, text);
  }
  for (const text of ["", "ndjson", ".open", ".a.b", "./x"]) {
    assert.throws(() => file.options.suffix.read(text), TypeError, text);
  }
});

Deno.test("values that senders chose stay one part of a path, and no two values share one", () => {
  const values = [
    "",
    "_",
    ".",
    "..",
    "a/b",
    "a%2Fb",
    "%",
    "CON",
    "a\0",
    "é",
    ".sparkngin",
    "~",
    "a b",
    "../../etc/passwd",
  ];
  const parts = values.map(safePart);
  for (const part of parts) assert.match(part, /^[A-Za-z0-9_%-][A-Za-z0-9._%-]*$/);
  assert.equal(new Set(parts).size, values.length);
  const template = new Template("%type%/%topic%");
  const long = ["x".repeat(300), `${"x".repeat(299)}y`].map((type) => template.stem({ ...line(0).message, type }));
  assert.notEqual(long[0], long[1]);
  assert.ok(long.every((stem) => stem.split("/")[0]!.length === 100));
});

Deno.test("fields that say nothing together still say which file", () => {
  const template = new Template("%type%%level%");
  const key = (type: string, level: string) => template.key({ ...line(0).message, type, level });
  assert.notEqual(key("a 1 b", "c"), key("a", "1 b 1 c"));
});

Deno.test("the ledger's steps add up, an interrupted last one is left out, a missing one is damage", () => {
  const state = { destination: "file", generation: 1, position: 5, time: 9, files: new Map([["a", 1], ["b", 2]]) };
  const first = encodeState(state);
  const second = encodeStep(1, { position: 6, time: 10, files: [["a", 3]] });
  const third = encodeStep(2, { position: 7, time: 11, files: [["c", 4]], finished: ["b"] });
  const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
  const files = (bytes: Uint8Array) => Object.fromEntries(decodeLedger(bytes)?.files ?? []);
  assert.deepEqual(files(joined(first, second, third)), { a: 3, c: 4 });
  assert.equal(decodeLedger(joined(first, second, third))!.position, 7);
  assert.deepEqual(files(joined(first, second, third.subarray(0, 40))), { a: 3, b: 2 });
  assert.equal(decodeLedger(joined(first, third)), undefined);
  assert.equal(decodeLedger(joined(second, third)), undefined);
  assert.equal(decodeLedger(new Uint8Array(0)), undefined);
});
