import assert from "node:assert/strict";
import {
  FollowingWatermark,
  LocalWatermark,
  type Position,
  RaisingWatermark,
  type Watermark,
} from "../../src/log/mod.ts";

/** What threads share: the cells, and who said that he sleeps. */
class Shared {
  at = 0 as Position;
  live = 0;
  asleep = false;
  readonly position = () => this.at;
  readonly segment = () => this.live;
  readonly raise = (to: Position, segment: number) => {
    this.live = segment;
    this.at = to;
  };
  readonly cell = {
    sleep: () => void (this.asleep = true),
    wake: () => {
      const before = this.asleep;
      this.asleep = false;
      return before;
    },
  };
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const open = Symbol();
  for (let i = 0; i < 5; i++) await Promise.resolve();
  return await Promise.race([promise, Promise.resolve(open)]) !== open;
}
/** A signal that counts who listens. */
function counted(): { signal: AbortSignal; abort: () => void; listeners: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  let count = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...args: Parameters<typeof add>) => void (count++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof remove>) => void (count--, remove(...args));
  return { signal, abort: () => controller.abort(), listeners: () => count };
}

function local(): { mark: Watermark; raise: (to: number) => void } {
  const mark = new LocalWatermark();
  return { mark, raise: (to) => mark.raise(to as Position, 1) };
}
function shared(): { mark: Watermark; raise: (to: number) => void } {
  const cells = new Shared();
  const mark = new FollowingWatermark(cells, cells.cell);
  const raising = new RaisingWatermark(cells);
  raising.addSleeper(cells.cell, () => mark.nudge());
  return { mark, raise: (to) => raising.raise(to as Position, 1) };
}

for (const [name, make] of Object.entries({ "within a thread": local, "between threads": shared })) {
  Deno.test(`a wait for the watermark ends when it stands above the position, ${name}`, async () => {
    const { mark, raise } = make();
    const wait = mark.above(5 as Position, new AbortController().signal);
    assert.equal(await isSettled(wait), false);
    raise(6);
    await wait;
    await mark.above(5 as Position, new AbortController().signal);
    assert.deepEqual([mark.position, mark.segment], [6, 1]);
  });

  Deno.test(`a wait for the watermark ends when the signal aborts, ${name}`, async () => {
    const { mark } = make();
    const { signal, abort } = counted();
    const wait = mark.above(0 as Position, signal);
    abort();
    await wait;
    await mark.above(0 as Position, signal);
  });

  Deno.test(`P16: a thousand waits leave nothing behind on a signal that lives on, ${name}`, async () => {
    const { mark, raise } = make();
    const { signal, listeners } = counted();
    for (let at = 0; at < 1000; at++) {
      const wait = mark.above(at as Position, signal);
      raise(at + 1);
      await wait;
    }
    assert.equal(listeners(), 0);
  });
}

Deno.test("a raise below the watermark changes only the segment", () => {
  const mark = new LocalWatermark();
  mark.raise(10 as Position, 1);
  mark.raise(5 as Position, 2);
  assert.deepEqual([mark.position, mark.segment], [10, 2]);
});

Deno.test("a follower that is nudged too early goes on waiting", async () => {
  const cells = new Shared();
  const mark = new FollowingWatermark(cells, cells.cell);
  const wait = mark.above(5 as Position, new AbortController().signal);
  await isSettled(wait);
  mark.nudge();
  assert.equal(await isSettled(wait), false);
  cells.raise(6 as Position, 1);
  mark.nudge();
  await wait;
});

Deno.test("a raise between the look and the sleep is not slept over", async () => {
  const cells = new Shared();
  const mark = new FollowingWatermark(cells, { ...cells.cell, sleep: () => cells.raise(9 as Position, 1) });
  await mark.above(5 as Position, new AbortController().signal);
});

Deno.test("only sleepers are nudged, once, and none that has gone", () => {
  const cells = new Shared();
  const raising = new RaisingWatermark(cells);
  let nudges = 0;
  const remove = raising.addSleeper(cells.cell, () => nudges++);
  raising.raise(1 as Position, 1);
  assert.equal(nudges, 0);
  cells.cell.sleep();
  raising.raise(2 as Position, 1);
  raising.raise(3 as Position, 1);
  assert.equal(nudges, 1);
  cells.cell.sleep();
  remove();
  raising.raise(4 as Position, 1);
  assert.equal(nudges, 1);
});

Deno.test("who raises cannot wait, and who follows cannot raise", () => {
  const cells = new Shared();
  assert.throws(() => new RaisingWatermark(cells).above());
  assert.throws(() => new FollowingWatermark(cells, cells.cell).raise());
});

Deno.test("a new watermark stands at 0, in no segment", () => {
  const mark = new LocalWatermark();
  assert.deepEqual([mark.position, mark.segment], [0, 0]);
});

Deno.test("who waits for what is above a position is not woken by that position", async () => {
  for (const make of [local, shared]) {
    const { mark, raise } = make();
    raise(5);
    const wait = mark.above(5 as Position, new AbortController().signal);
    assert.equal(await isSettled(wait), false);
    raise(5);
    assert.equal(await isSettled(wait), false);
    raise(6);
    await wait;
  }
});

Deno.test("who raises sees where the watermark stands, and goes on to nudge the others when one has gone", () => {
  const [cells, other] = [new Shared(), new Shared()];
  const raising = new RaisingWatermark(cells);
  const nudged: string[] = [];
  const remove = raising.addSleeper(cells.cell, () => nudged.push("one"));
  raising.addSleeper(other.cell, () => nudged.push("other"));
  remove();
  other.cell.sleep();
  raising.raise(3 as Position, 2);
  assert.deepEqual([raising.position, raising.segment, nudged], [3, 2, ["other"]]);
});
