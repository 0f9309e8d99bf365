/**
 * Bugs planted in a copy of the real code, one at a time: the simulation, or the test that is named beside
 * it, must catch each of them, or it proves nothing.
 * `deno run -A test/sim/planted.ts [NAME]`; exit code 1 when one is not caught or no longer fits the code.
 */
interface Planted {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The named test that catches it, where seeds that do are too rare: a chain of faults at one place. */
  readonly test?: string;
}

const lettersTest = "test/deliver/dead_letters_test.ts";

export const planted: readonly Planted[] = [
  {
    name: "a commit is never synced",
    file: "src/log/live.ts",
    find: "    this.#file.sync();\n    this.#goOn",
    replace: "    this.#goOn",
  },
  {
    name: "messages are accepted before the sync",
    file: "src/log/writer.ts",
    find: '      this.#commitOne(commit);\n      if (this.#state !== "ready") return this.#refuse(groups.slice(i));',
    replace:
      '      resolve();\n      this.#commitOne(commit);\n      if (this.#state !== "ready") return this.#refuse(groups.slice(i));',
  },
  {
    name: "the directory is not synced after a new segment got its name",
    file: "src/log/live.ts",
    find: "    files.syncDir(logDir);\n  } catch (problem) {",
    replace: "  } catch (problem) {",
  },
  {
    name: "a failed sync is tried again on the same file",
    file: "src/log/live.ts",
    find: "    this.#file.sync();\n    this.#goOn",
    replace: "    try {\n      this.#file.sync();\n    } catch {\n      this.#file.sync();\n    }\n    this.#goOn",
  },
  {
    name: "the data directory's own entry is not synced",
    file: "src/log/directory.ts",
    find: "  makeDurableDir(files, dir);",
    replace: "  files.makeDir(dir);",
  },
  {
    name: "retention goes by positions that are not durable",
    file: "test/sim/system.ts",
    find: "cursor.durable)) as Position",
    replace: "cursor.position)) as Position",
  },
  {
    name: "retention frees a segment too many",
    file: "src/log/retention.ts",
    find: "  if (next === undefined || next.base > limits.passed) return undefined;",
    replace: "  if (next === undefined || segments[0]!.base > limits.passed) return undefined;",
  },
  {
    name: "a reader goes past the durable end",
    file: "src/log/writer.ts",
    find: "    this.#next = position + count as Position;",
    replace: "    this.#next = position + count as Position;\n    this.#mark.raise(this.#next, this.#sequence);",
  },
  {
    name: "a reader does not look for the seal",
    file: "src/log/reader.ts",
    find: "    this.#lookForSeal(segment);",
    replace: "    if (segment.commitAt(this.#offset, Infinity) === undefined) this.#lookForSeal(segment);",
  },
  {
    name: "recovery takes a torn commit for a whole one",
    file: "src/log/recover.ts",
    find: "    if (here?.whole && here.header.first >= seal.end) {",
    replace: "    if (here && here.header.first >= seal.end) {",
  },
  {
    name: "recovery ends a commit early",
    file: "src/log/recover.ts",
    find: "      const { seal, last, damaged } = endOf(tail, this.#mark);",
    replace:
      "      const { seal: found, last, damaged } = endOf(tail, this.#mark);\n      const seal = { ...found, end: Math.max(tail.base, found.end - 1) as Position };",
  },
  {
    name: "the new segment does not begin beyond what cursors have seen",
    file: "src/log/recover.ts",
    find: "  const base = Math.max(last, mark?.position ?? 0, ...cursors);",
    replace: "  const base = Math.max(0, last - 1);",
  },
  {
    name: "recovery believes the last commit without copying it",
    file: "src/log/recover.ts",
    find: "end && last > (mark?.position ?? 0) ? end.undecided : undefined",
    replace: "undefined",
  },
  {
    name: "the copy of the last commit is not synced",
    file: "src/log/live.ts",
    find: "    file.write(0, bytes);\n    file.sync();",
    replace: "    file.write(0, bytes);",
  },
  {
    name: "a segment ends where its successor does not say",
    file: "src/log/writer.ts",
    find: "previous: this.#seal, commit, copied }",
    replace: "previous: this.#seal && { ...this.#seal, length: 1 << 30 }, commit, copied }",
  },
  {
    name: "the cursor moves before the batch is sent",
    file: "src/deliver/pump.ts",
    find: "    const fate = await this.#sendAll(part, next, signal);",
    replace:
      "    this.#settle(underWay, next, { left: [], fates: new Map(), behind: new Map() });\n    cursor.sync();\n    const fate = await this.#sendAll(part, next, signal);",
  },
  {
    name: "what the destination asks for again is forgotten",
    file: "src/deliver/pump.ts",
    find: "        left = [...result.again, ...left.slice(now.length)]",
    replace: "        left = left.slice(now.length)",
  },
  {
    name: "what is asked for again comes after later messages",
    file: "src/deliver/pump.ts",
    find: "        left = [...result.again, ...left.slice(now.length)]",
    replace: "        left = [...result.again].reverse().concat(left.slice(now.length))",
  },
  {
    name: "a broken connection counts as sent",
    file: "src/deliver/sender.ts",
    find: "      if (!signal.aborted) tell(reasonOf(problem));\n      return undefined;\n    } finally {",
    replace: "      return { refused: [], again: [] };\n    } finally {",
  },
  {
    name: "refused messages are dropped",
    file: "src/deliver/sender.ts",
    find: "      if (result.refused.length > 0) {",
    replace: "      if (result.refused.length < 0) {",
  },
  {
    name: "dead letters are stored again after a crash",
    file: "src/deliver/letter_index.ts",
    find: "    if (place?.number !== number) continue;",
    replace: "    if (place === undefined) continue;",
  },
  {
    name: "the keeper of dead letters does not wait for the disk",
    file: "src/deliver/dead_letters.ts",
    find: "    await this.#writer.durable();\n    for (const { position } of letters)",
    replace: "    for (const { position } of letters)",
  },
  {
    name: "a dead letter goes before it is sent again",
    file: "src/deliver/replay.ts",
    find: "    const result = await this.#parts.send(",
    replace:
      "    await letters.forget(batch.map(({ letter }) => letter.position));\n    const result = await this.#parts.send(",
  },
  {
    name: "what is refused again counts as taken",
    file: "src/deliver/replay.ts",
    find: "!again.has(delivery) && !refused.has(delivery));",
    replace: "!again.has(delivery));",
  },
  {
    name: "what may have been sent again counts as taken",
    file: "src/deliver/replay.ts",
    find: "    if (result === undefined) return this.#later();",
    replace:
      "    if (result === undefined) return void (await letters.take(batch.map(({ letter }) => letter), this.#parts.cursor)) ?? 0;",
  },
  {
    name: "letters that were taken after all are not made good after a crash",
    file: "src/deliver/dead_letters.ts",
    find: "      cursor.retake(told.count - cursor.retaken);",
    replace: "",
    test: lettersTest,
  },
  {
    name: "a letter stays when its message is taken after a crash",
    file: "src/deliver/sender.ts",
    find: "    if (there.length === 0) return;",
    replace: "    if (there.length >= 0) return;",
  },
  {
    name: "an entry read from its middle is delivered from its beginning",
    file: "src/deliver/select.ts",
    find: "      if (position >= this.end && position < upTo)",
    replace: "      if (position < upTo)",
  },
  {
    name: "a sample judges by chance",
    file: "src/deliver/select.ts",
    find: "samples?.(reader.id ?? `${this.#prefix}${position}`) === false",
    replace: "samples && Math.random() < 0.5",
  },
  {
    name: "a full disk is taken for a commit",
    file: "src/log/writer.ts",
    find: "      if (isNoSpace(problem)) return this.#becomeFull(problem);\n      this.#secondTry",
    replace: "      if (isNoSpace(problem)) return;\n      this.#secondTry",
  },
  {
    name: "what a full disk broke off is called refused though it may stand there",
    file: "src/log/writer.ts",
    find: "      if (this.#unsealed) this.#tryNext(this.#unsealed.first);",
    replace: "      this.#unsealed = undefined;",
  },
  {
    name: "a segment that lacks a handle is taken for a commit",
    file: "src/log/writer.ts",
    find: "      if (isTransient(again)) return this.#becomeExhausted(again);",
    replace: "      if (isTransient(again)) return;",
  },
  {
    name: "the mark is renewed by commits alone",
    file: "src/log/mark_keeper.ts",
    find: "      if (moved && !this.#isClosed) this.#put(new Map([...this.#marked, ...places]));",
    replace: "",
  },
  {
    name: "a letter whose sync failed is taken for none",
    file: "src/deliver/dead_letters.ts",
    find: "    return this.#index.at(position) !== undefined || this.#perhaps.has(position);",
    replace: "    return this.#index.at(position) !== undefined;",
    test: lettersTest,
  },
  {
    name: "a destination that refuses everything fills its dead letters",
    file: "src/deliver/refusals.ts",
    find: "    return refusedOf(outcomes) * 100 <= this.#most * (this.#takenSince! + outcomes.length);",
    replace: "    return outcomes.length > 0;",
  },
  {
    name: "a backlog expires up to the end of the log",
    file: "src/deliver/pump.ts",
    find: "    return this.#floor = Math.min(floor(), mark.position) as Position;",
    replace: "    return this.#floor = floor() > 0 ? mark.position : 0 as Position;",
  },
  {
    name: "what nobody was there for is passed without a count",
    file: "src/deliver/pump.ts",
    find: "passOver(cursor, { to, verdict, clock,",
    replace: 'passOver(cursor, { to, verdict: verdict === "overwritten" ? "taken" : verdict, clock,',
  },
  {
    name: "all that nobody was there for is overwritten",
    file: "src/deliver/attendance.ts",
    find: "Math.min(buffered(from), mark.position) as Position;",
    replace: "buffered(from) > from ? mark.position : from;",
  },
  {
    name: "what has expired or was overwritten is read all the same",
    file: "src/deliver/pump.ts",
    find: "    this.#goOnFromCursor();\n    watch[verdict](from, to);",
    replace: "    watch[verdict](from, to);",
  },
  {
    name: "a pump goes on behind a batch that an order broke off",
    file: "src/deliver/pump.ts",
    find: "      if (signal.aborted) return { left, fates, behind };\n      if (result?.again",
    replace: "      if (signal.aborted) return { left: [], fates, behind };\n      if (result?.again",
  },
  {
    name: "a rewind keeps the counts of the generation before",
    file: "src/log/cursor.ts",
    find: "ahead: at, counts: noCounts, retaken: 0, sides: noSides };",
    replace: "ahead: at, counts: this.#state.counts, retaken: 0, sides: noSides };",
  },
  {
    name: "topics that wait are forgotten when the cursor is written",
    file: "src/log/cursor.ts",
    find: "view.setUint32(sideCountAt, sides.length, true);",
    replace: "view.setUint32(sideCountAt, 0, true);",
  },
  {
    name: "messages of a topic that waits are overtaken",
    file: "src/deliver/pump.ts",
    find: "underWay.left(cursor.sides.size > 0 ? (topic) => cursor.sides.has(topic) : undefined)",
    replace: "underWay.left()",
  },
  {
    name: "a topic that waits moves on although its batch was not taken",
    file: "src/deliver/sides.ts",
    find: "      side.left = [...again, ...side.left.slice(now.length)];",
    replace: "      side.left = side.left.slice(now.length);",
  },
  {
    name: "a topic is left behind from its second message on",
    file: "src/deliver/pump.ts",
    find: "if (!behind.has(message.topic)) behind.set(message.topic, position);",
    replace: "behind.set(message.topic, position);",
  },
  {
    name: "a filtered message of a topic that waits is counted before it is judged again",
    file: "src/deliver/under_way.ts",
    find: "if (topic === undefined || !this.#waits?.(topic, position))",
    replace: 'if (topic === undefined || verdict !== "taken" || !waits(topic, position))',
  },
  {
    name: "a cap is not kept",
    file: "src/deliver/pace.ts",
    find: "Math.max(this.#freeAt, now - slackMs) + count * 1000 / this.#rate",
    replace: "now",
  },
  {
    name: "what is cut off a batch that is too much is forgotten",
    file: "src/deliver/pump.ts",
    find: "    const next = all[part.length]?.position ?? underWay.selection.end;",
    replace: "    const next = underWay.selection.end;",
  },
  {
    name: "a letter of which nobody knows whether it is gone counts as there",
    file: "src/deliver/dead_letters.ts",
    find: " || this.#doubtful.has(delivery.position);",
    replace: ";",
    test: lettersTest,
  },
];

/** Seeds that may pass before a planted bug must have shown. */
const seedsMax = 1000;
const hangMs = 300_000;

if (import.meta.main) {
  const wanted = planted.filter(({ name }) => Deno.args.length === 0 || name.includes(Deno.args[0]!));
  let escaped = 0;
  for (const bug of wanted) escaped += await isCaught(bug) ? 0 : 1;
  console.log(`${wanted.length - escaped} of ${wanted.length} planted bugs were caught`);
  Deno.exit(escaped === 0 ? 0 : 1);
}

async function isCaught(bug: Planted): Promise<boolean> {
  const copy = await plant(bug);
  const begin = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: bug.test === undefined
      ? ["run", "-A", "--no-check", `${copy}/test/sim/main.ts`, "--seeds", String(seedsMax)]
      : ["test", "-A", "--no-check", `${copy}/${bug.test}`],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
    // A bug may also make it go round for ever, which shows nothing.
    signal: AbortSignal.timeout(hangMs),
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  await Deno.remove(copy, { recursive: true });
  const how = said.match(/seed (\d+):\n\s*(.*)/)?.slice(1, 3).join(": ") ?? said.match(/^(.*) => /m)?.[1] ??
    said.split("\n").find((line) => line !== "");
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  console.log(
    `${code === 0 ? "ESCAPED" : "caught "} ${bug.name} (${seconds} s) ${code === 0 ? "" : how?.slice(0, 110)}`,
  );
  return code !== 0 && said.includes(bug.test === undefined ? "replay:" : " | 1 failed");
}

/** A copy of the code beside the real one, so that its imports resolve, with the bug in it. */
async function plant({ name, file, find, replace }: Planted): Promise<string> {
  const root = new URL("../../", import.meta.url).pathname;
  const copy = await Deno.makeTempDir({ prefix: "sparkngin-planted-" });
  for (const part of ["src", "test/sim", "test/deliver", "deno.json", "deno.lock"]) {
    await copyAll(`${root}${part}`, `${copy}/${part}`);
  }
  const path = `${copy}/${file}`;
  const text = await Deno.readTextFile(path);
  if (text.split(find).length !== 2) throw new Error(`Cannot plant "${name}": ${file} has changed`);
  await Deno.writeTextFile(path, text.replace(find, () => replace));
  return copy;
}

async function copyAll(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) {
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    return await Deno.copyFile(from, to);
  }
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copyAll(`${from}/${name}`, `${to}/${name}`);
}
