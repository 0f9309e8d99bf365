/**
 * The examination that every adaptor sits: what the pump relies on, whatever the protocol. An adaptor's own test gives it a
 * destination, simulated or real, and adds what is particular to it.
 */
import assert from "node:assert/strict";
import { clearTimeout, setTimeout } from "node:timers";
import { adaptors } from "../../adaptors/mod.ts";
import { defaults, type Fields } from "../../src/config/options.ts";
import type { Adaptor, AdaptorKind, Delivery } from "../../src/deliver/adaptor.ts";
import type { Position } from "../../src/log/mod.ts";
import type { Message } from "../../src/message/message.ts";

/** A destination, empty at first, with a way to it. */
export interface Examinee {
  /** As the pump does it, with its cursor at `position`. */
  open(position: number, signal: AbortSignal): Promise<Adaptor>;
  /** The bodies of all messages the destination has, in its order; all that were taken by now are among them. */
  bodies(): Promise<Uint8Array[]>;
  /** The ids with them, if the destination is told any. */
  ids?(): Promise<string[]>;
  /** From now on something goes wrong in the middle of the next batch, once; the n-th call may choose another place. */
  breakMidBatch?(): void | Promise<void>;
  /** The destination takes the next batch whole, and its answer does not come through, once. */
  loseAnswer?(): void;
  /** The destination takes connections and says nothing from now on, until `open` is called or the test ends. */
  fallSilent?(): void;
  /** The topic that its messages shall have. */
  readonly topic?: string;
  leave?(): Promise<void>;
}
export interface ExamineOptions {
  /** What it takes and is not there, e.g. "a broker": the tests are shown as ignored. */
  readonly needs?: string;
  /** Bodies are separated by line ends, so they cannot hold any. */
  readonly lines?: boolean;
  /** Nobody says what was read: a new connection may begin with what the last one may have lost. */
  readonly repeats?: boolean;
}

/** Registers the tests. Each begins with a destination of its own. */
export function examine(
  name: string,
  kind: AdaptorKind<any>,
  begin: () => Promise<Examinee>,
  options: ExamineOptions = {},
): void {
  const fact = (text: string, run: (examinee: Examinee) => Promise<void>) =>
    Deno.test({
      name: `${name}: ${text}${options.needs ? ` (needs ${options.needs})` : ""}`,
      ignore: options.needs !== undefined,
      async fn() {
        const examinee = await begin();
        try {
          await run(examinee);
        } finally {
          await examinee.leave?.();
        }
      },
    });

  Deno.test(`${name}: every option has a kind and help, and reads its own default`, () => {
    assert.ok(kind.summary.length > 0);
    for (const [key, option] of Object.entries(kind.options as Fields)) {
      assert.match(key, /^[a-z][a-z0-9_]*$/);
      assert.ok(option.kind.length > 0 && option.help.length > 0, key);
      if (option.fallback !== undefined) option.read(option.fallback);
    }
  });

  Deno.test(`${name}: its README names every option, what it promises, an example, and what it was tested against`, async () => {
    const readme = await readmeOf(kind);
    for (const key of Object.keys(kind.options as Fields)) assert.ok(readme.includes(`\`${key}\``), key);
    assert.ok(readme.includes(`**${kind.promise(defaults(kind.options as Fields))}**`), "the promise");
    assert.ok(readme.includes("```toml\n[[destination]]\n"), "an example");
    assert.match(readme, /^## Tested against$/m);
  });

  fact("P6 messages arrive in the order of their positions, batch after batch", async (examinee) => {
    const adaptor = await examinee.open(0, never());
    const all = deliveries(examinee, texts(0, 250));
    for (let at = 0; at < all.length; at += 50) assertTaken(await adaptor.send(all.slice(at, at + 50), never()));
    await adaptor.close();
    await assertBodies(examinee, all);
  });

  fact("P3 empty, huge and non-UTF-8 bodies arrive byte by byte", async (examinee) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !options.lines || byte !== 10);
    const bodies = [
      new Uint8Array(0),
      bytes,
      new Uint8Array(900 * 1024).fill(0x78),
      new Uint8Array(0),
      bytes.toReversed(),
    ];
    const all = deliveries(examinee, bodies);
    const adaptor = await examinee.open(0, never());
    assertTaken(await adaptor.send(all, never()));
    await adaptor.close();
    await assertBodies(examinee, all);
  });

  fact("a lone message is there as soon as it is taken, not only after close", async (examinee) => {
    if (kind.promise(defaults(kind.options as Fields)) !== "confirmed") return;
    const adaptor = await examinee.open(0, never());
    const [one] = deliveries(examinee, texts(0, 1));
    assertTaken(await adaptor.send([one!], never()));
    await assertBodies(examinee, [one!]);
    await adaptor.close();
  });

  fact("what was taken stays when the adaptor is closed and opened again", async (examinee) => {
    const all = deliveries(examinee, texts(0, 30));
    for (let at = 0; at < 30; at += 10) {
      const adaptor = await examinee.open(at, never());
      assertTaken(await adaptor.send(all.slice(at, at + 10), never()));
      await adaptor.close();
    }
    await (options.repeats ? assertNoneLost : assertBodies)(examinee, all);
  });

  fact(
    "P2 P7 death in mid-batch rejects, and the same batch again arrives whole, with the same ids",
    async (examinee) => {
      if (!examinee.breakMidBatch) return;
      const all = deliveries(examinee, texts(0, 100));
      let adaptor = await examinee.open(0, never());
      assertTaken(await adaptor.send(all.slice(0, 10), never()));
      await examinee.breakMidBatch();
      await assert.rejects(async () => void await adaptor.send(all.slice(10, 60), never()));
      await adaptor.close().catch(() => {});
      adaptor = await examinee.open(10, never());
      assertTaken(await adaptor.send(all.slice(10, 60), never()));
      assertTaken(await adaptor.send(all.slice(60), never()));
      await adaptor.close();
      await assertNoneLost(examinee, all);
    },
  );

  fact("P2 P7 an answer that is lost rejects, and the same batch again has the same ids", async (examinee) => {
    if (!examinee.loseAnswer) return;
    const all = deliveries(examinee, texts(0, 60));
    let adaptor = await examinee.open(0, never());
    assertTaken(await adaptor.send(all.slice(0, 10), never()));
    examinee.loseAnswer();
    await assert.rejects(async () => void await adaptor.send(all.slice(10, 40), never()));
    await adaptor.close().catch(() => {});
    adaptor = await examinee.open(10, never());
    for (const batch of [all.slice(10, 40), all.slice(40)]) assertTaken(await adaptor.send(batch, never()));
    await adaptor.close();
    await assertNoneLost(examinee, all);
  });

  fact(
    "a destination that says nothing keeps nobody who is told to stop, and loses nothing by it",
    async (examinee) => {
      if (!examinee.fallSilent) return;
      const all = deliveries(examinee, texts(0, 50));
      const adaptor = await examinee.open(0, never());
      assertTaken(await adaptor.send(all.slice(0, 10), never()));
      examinee.fallSilent();
      const abort = new AbortController();
      const sending = adaptor.send(all.slice(10), abort.signal);
      setTimeout(() => abort.abort(), 200);
      await settlesSoon(sending);
      await settlesSoon(adaptor.close());
      const next = await examinee.open(10, never());
      assertTaken(await next.send(all.slice(10), never()));
      await next.close();
      await assertNoneLost(examinee, all);
    },
  );

  fact("after a failure idle and close do no harm", async (examinee) => {
    if (!examinee.breakMidBatch) return;
    const all = deliveries(examinee, texts(0, 20));
    const adaptor = await examinee.open(0, never());
    await examinee.breakMidBatch();
    await assert.rejects(async () => void await adaptor.send(all, never()));
    await adaptor.idle?.().catch(() => {});
    await adaptor.close().catch(() => {});
    await adaptor.close().catch(() => {});
    const next = await examinee.open(0, never());
    assertTaken(await next.send(all, never()));
    await next.close();
    await assertNoneLost(examinee, all);
  });

  fact("when the signal aborts, before or during, send settles soon", async (examinee) => {
    const all = deliveries(examinee, texts(0, 50));
    const adaptor = await examinee.open(0, never());
    await settlesSoon(adaptor.send(all, AbortSignal.abort()));
    const abort = new AbortController();
    const sending = adaptor.send(all, abort.signal);
    abort.abort();
    await settlesSoon(sending);
    await settlesSoon(adaptor.close());
  });

  fact("when the signal aborts, opening settles soon", async (examinee) => {
    const abort = new AbortController();
    const opening = examinee.open(0, abort.signal);
    abort.abort();
    await settlesSoon(opening.then((adaptor) => adaptor.close()));
    await settlesSoon(examinee.open(0, AbortSignal.abort()).then((adaptor) => adaptor.close()));
  });

  fact("close may be called twice, idle any time, and a send after close is refused", async (examinee) => {
    const all = deliveries(examinee, texts(0, 10));
    const adaptor = await examinee.open(0, never());
    await adaptor.idle?.();
    assertTaken(await adaptor.send(all, never()));
    await adaptor.idle?.();
    await adaptor.close();
    await adaptor.close();
    await assert.rejects(async () => void await adaptor.send(deliveries(examinee, texts(10, 10)), never()));
    await assertBodies(examinee, all);
  });
}

/** The page that stands beside the adaptor's code. */
async function readmeOf(kind: AdaptorKind<any>): Promise<string> {
  for (const [name, load] of Object.entries(adaptors)) {
    if ((await load()).default !== kind) continue;
    return await Deno.readTextFile(new URL(`../../adaptors/${name}/README.md`, import.meta.url));
  }
  throw new Error("Cannot find the adaptor: it is not in adaptors/mod.ts");
}

const arrival = 1_772_366_400_000;

/** Messages at positions from `first` on, as the pump would send them. */
export function deliveries(
  { topic = "t" }: { readonly topic?: string },
  bodies: readonly Uint8Array[],
  first = 0,
): Delivery[] {
  return bodies.map((body, at) => {
    const position = (first + at) as Position;
    const message: Message = { topic, timestamp: arrival, data: body, dataIsJson: false };
    return { id: `9f3c01aa27de4410-1-${position}`, position, message, body };
  });
}

/** Bodies that can be told apart. */
export function texts(first: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => new TextEncoder().encode(`{"n":${first + at}}`));
}

export function never(): AbortSignal {
  return new AbortController().signal;
}

function assertTaken({ refused, again }: Awaited<ReturnType<Adaptor["send"]>>): void {
  assert.deepEqual({ refused: refused.length, again: again.length }, { refused: 0, again: 0 });
}

async function assertBodies(examinee: Examinee, sent: readonly Delivery[]): Promise<void> {
  const found = await examinee.bodies();
  assert.deepEqual(found.map(printed), sent.map(({ body }) => printed(body)));
}

/** Copies are allowed, but each with the id of the first; the first ones are all there and in order. */
async function assertNoneLost(examinee: Examinee, sent: readonly Delivery[]): Promise<void> {
  const bodies = (await examinee.bodies()).map(printed);
  assert.deepEqual([...new Set(bodies)], sent.map(({ body }) => printed(body)));
  if (!examinee.ids) return;
  const ids = await examinee.ids();
  const idOf = new Map(sent.map(({ body, id }) => [printed(body), id]));
  assert.deepEqual(ids, bodies.map((body) => idOf.get(body)));
}

/** Short, and the same only for the same bytes. */
function printed(body: Uint8Array): string {
  const latin = Array.from(body.subarray(0, 300), (byte) => String.fromCharCode(byte)).join("");
  return `${body.length}:${latin}:${body.reduce((sum, byte) => (sum * 31 + byte) % 4_294_967_291, 7)}`;
}

const soonMs = 10_000;

async function settlesSoon(promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it has not settled after ${soonMs} ms`)), soonMs);
  });
  try {
    await Promise.race([promise.then(() => {}, () => {}), late]);
  } finally {
    clearTimeout(timer);
  }
}
