import assert from "node:assert/strict";
import type { Line } from "../../src/send/chunk.ts";
import { Checkpoint, Reached } from "../../src/send/reached.ts";
import { linesFrom, linesOf, type SourceOptions } from "../../src/send/source.ts";
import { realWorld } from "../../src/os/deno.ts";
import { eventually } from "../e2e/waiting.ts";

const { files } = realWorld();

class Following implements AsyncDisposable {
  readonly texts: string[] = [];
  readonly lines: Line[] = [];
  readonly notices: string[] = [];
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(path: string, more: Partial<SourceOptions> = {}) {
    const notice = (text: string) => void this.notices.push(text);
    const options = { name: "a.log", path, from: undefined, follow: true, signal: this.#stop.signal, notice, ...more };
    this.#done = this.#read(linesOf(options));
  }
  async #read(source: AsyncIterable<readonly Line[]>): Promise<void> {
    for await (const lines of source) {
      this.lines.push(...lines);
      this.texts.push(...lines.map(({ bytes }) => new TextDecoder().decode(bytes)));
    }
  }
  async has(texts: readonly string[]): Promise<void> {
    await eventually(`${texts} in ${this.texts}`, () => this.texts.length >= texts.length);
    assert.deepEqual(this.texts, texts);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

async function withFile(act: (path: string, append: (text: string) => Promise<void>) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  const path = `${dir}/a.log`;
  try {
    await act(path, (text) => Deno.writeTextFile(path, text, { append: true }));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** How far `lines` are kept in the file beside `path`, as a later run finds it. */
function keptPlace(path: string, lines: readonly Line[]) {
  const reached = new Reached();
  reached.begin(lines)();
  new Checkpoint(files, `${path}.state`).keep(new Map([[path, reached.places().get("a.log")!]]));
  return new Checkpoint(files, `${path}.state`).placeOf(path);
}

Deno.test("M6 a file that is followed gives its lines as they come, whole", async () => {
  await withFile(async (path, append) => {
    await append("one\ntw");
    await using following = new Following(path);
    await following.has(["one"]);
    await append("o\nthree\n");
    await following.has(["one", "two", "three"]);
  });
});

Deno.test("M6 a file that is renamed is read to its end, then the new one", async () => {
  await withFile(async (path, append) => {
    await append("1\n");
    await using following = new Following(path);
    await following.has(["1"]);
    await append("2\nlast");
    await Deno.rename(path, `${path}.1`);
    await append("3\n");
    await following.has(["1", "2", "last", "3"]);
    assert.deepEqual(following.notices, []);
  });
});

Deno.test("a file that becomes shorter is read from its beginning", async () => {
  await withFile(async (path, append) => {
    await append("1\n2\n3\n");
    await using following = new Following(path);
    await following.has(["1", "2", "3"]);
    await Deno.truncate(path, 0);
    await eventually("notice", () => following.notices.length === 1);
    await append("4\n");
    await following.has(["1", "2", "3", "4"]);
    assert.match(following.notices[0]!, /^a\.log became shorter/);
  });
});

Deno.test("M6 a later run goes on where an earlier one came to, over a rename too", async () => {
  await withFile(async (path, append) => {
    await append("1\n2\n3\n");
    const first = new Following(path, { follow: false });
    await first[Symbol.asyncDispose]();
    await using whole = new Following(path, { follow: false });
    await whole.has(["1", "2", "3"]);
    const place = keptPlace(path, whole.lines.slice(0, 2))!;
    assert.deepEqual([place.number, place.end], [2, 4]);
    {
      await using on = new Following(path, { from: place });
      await on.has(["3"]);
      assert.equal(on.lines[0]!.number, 3);
    }
    await Deno.rename(path, `${path}.1`);
    await append("4\n");
    await using over = new Following(path, { from: place });
    await over.has(["3", "4"]);
    assert.deepEqual(over.lines.map(({ number }) => number), [3, 1]);
  });
});

Deno.test("a file that is another than last time is read from its beginning, and that is said", async () => {
  await withFile(async (path, append) => {
    await append("1\n2\n");
    const whole = new Following(path, { follow: false });
    await whole.has(["1", "2"]);
    await whole[Symbol.asyncDispose]();
    const place = keptPlace(path, whole.lines)!;
    await Deno.remove(path);
    await append("other\n");
    await using again = new Following(path, { from: place });
    await again.has(["other"]);
    assert.match(again.notices[0]!, /another file than last time/);
  });
});

Deno.test("what is safe is what stands before the first line whose fate is open", () => {
  const file = { identity: () => ({ device: 1, inode: 2, head: { length: 0, digest: "" } }) };
  const line = (number: number) => ({ source: "f", number, bytes: new Uint8Array(), end: number * 10, file });
  const reached = new Reached();
  const [first, second, third] = [[line(1)], [line(2), line(3)], [line(4)]].map((lines) => reached.begin(lines));
  second!();
  assert.equal(reached.places().size, 0);
  first!();
  assert.equal(reached.places().get("f")!.end, 30);
  third!();
  assert.deepEqual(reached.said(), ["f up to line 4"]);
});

Deno.test("a checkpoint that is none is not overwritten", async () => {
  await withFile(async (path, append) => {
    await append("precious");
    assert.throws(() => new Checkpoint(files, path), /it is none; name another, or remove it to begin anew$/);
    assert.equal(new Checkpoint(files, `${path}.none`).placeOf("x"), undefined);
  });
});

Deno.test("standard input ends when told to, though nothing comes", async () => {
  const stop = new AbortController();
  const silent = (async function* () {
    yield new TextEncoder().encode("a\nb");
    await new Promise(() => {});
  })();
  const lines = linesFrom("standard input", silent, stop.signal);
  assert.equal((await lines.next()).value!.length, 1);
  stop.abort();
  assert.equal((await lines.next()).done, true);
});
