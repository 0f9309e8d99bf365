import { commitHeaderBytes } from "../../src/log/format.ts";
import { type Expected, survives } from "./damage.ts";
import { segmentsOf, simWith } from "./trial.ts";
import { blockLog, entriesIn, smallLog, type Written } from "./written.ts";

const blockBytes = 4096;
const log = await blockLog();
const blocks = segmentsOf(simWith(log.image)).flatMap((path) => {
  const count = Math.ceil(log.image.get(path)!.length / blockBytes);
  return Array.from({ length: count }, (_, i) => ({ path, at: i * blockBytes }));
});
type Block = (typeof blocks)[number];

function bytesAt({ path, at }: Block): Uint8Array {
  return log.image.get(path)!.subarray(at, at + blockBytes);
}

/** Puts bytes over blocks; what those held may be lost, unless it was the same. */
async function overwritten(puts: readonly { readonly block: Block; readonly bytes: Uint8Array }[], what: string) {
  const image = new Map(log.image);
  const lost = new Set<number>();
  let changed = false;
  for (const { block: { path, at }, bytes } of puts) {
    const whole = image.get(path)!.slice();
    const length = Math.min(bytes.length, whole.length - at);
    if (bytes.subarray(0, length).every((byte, i) => byte === whole[at + i])) continue;
    whole.set(bytes.subarray(0, length), at);
    image.set(path, whole);
    // What nothing refers to may change unnoticed: the rest of the head's block, the space behind the last commit.
    changed ||= at === 0 || at < endOf(path);
    for (const position of entriesIn(log, path, at, at + length)) lost.add(position);
  }
  await survivesAs(image, what, { ...log, lost: (position) => lost.has(position), told: changed });
}

function endOf(path: string): number {
  const last = log.commits.findLast((commit) => commit.path === path)!;
  return last.offset + commitHeaderBytes + last.header.length;
}

async function survivesAs(image: Written["image"], what: string, expected: Expected) {
  try {
    await survives(image, () => {}, expected);
  } catch (problem) {
    throw new Error(`${what}: ${(problem as Error).message}`, { cause: problem });
  }
}

Deno.test("P8: a block of zeros costs the entries that were in it", async () => {
  for (const block of blocks) {
    await overwritten([{ block, bytes: new Uint8Array(blockBytes) }], `zeros at ${where(block)}`);
  }
});

Deno.test("P8: a block written over another one, of the same segment or not, costs what it hid", async () => {
  for (const from of blocks) {
    for (const block of blocks) {
      if (from === block) continue;
      await overwritten([{ block, bytes: bytesAt(from) }], `${where(from)} at ${where(block)}`);
    }
  }
});

Deno.test("P8: two blocks that changed places cost what they held", async () => {
  for (const [i, one] of blocks.entries()) {
    for (const other of blocks.slice(i + 1)) {
      const puts = [{ block: one, bytes: bytesAt(other) }, { block: other, bytes: bytesAt(one) }];
      await overwritten(puts, `${where(one)} and ${where(other)} swapped`);
    }
  }
});

Deno.test("P8: a segment cut at any length costs what was behind the cut", async () => {
  const small = await smallLog();
  for (const path of segmentsOf(simWith(small.image))) {
    const size = small.image.get(path)!.length;
    for (let length = 0; length < size; length += length < blockBytes ? 61 : 1) {
      const lost = entriesIn(small, path, length, size);
      const image = new Map(small.image).set(path, small.image.get(path)!.slice(0, length));
      const told = small.commits.some((one) => one.path === path && one.offset + 48 + one.header.length > length);
      await survivesAs(image, `${path} cut at ${length}`, { ...small, lost: (position) => lost.has(position), told });
    }
  }
});

function where({ path, at }: Block): string {
  return `byte ${at} of ${path.slice(-10)}`;
}
