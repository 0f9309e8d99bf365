import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { exitCodes } from "../../src/cli/exit.ts";
import { parseSegmentName, Salt } from "../../src/log/format.ts";
import { encodeEntry } from "../../src/message/wire.ts";
import { filled, type Filling, segmentsOf } from "../log/filled.ts";
import { SimWorld } from "../sim/world.ts";
import { sparkngin } from "./terminal.ts";

const six: Filling = { commits: [3, 1, 2], cursors: { bus: 2 } };

async function made(filling: Filling = six): Promise<SimWorld> {
  const sim = new SimWorld(1);
  await filled(sim, filling);
  return sim;
}
/** What `sparkngin log ARGS` prints. */
const log = (world: SimWorld, ...args: string[]) => sparkngin(["log", ...args], { world });
/** The same with a configuration; simulated time passes meanwhile. */
async function configured(world: SimWorld, text: string, ...args: string[]) {
  let over = false;
  const printed = sparkngin(["log", ...args], { world, files: { "./sparkngin.toml": text } });
  void printed.finally(() => over = true);
  while (!over) await world.run(10);
  return await printed;
}

Deno.test("M3.5 log verify says that a directory is sound, and takes the configured one where none is named", async () => {
  const sim = await made();
  const { code, out, err } = await log(sim, "verify");
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, /^node [0-9a-f]{16}, log from 0 to 6, not in use\n/);
  assert.match(out, /\n1 segments, 3 commits, 3 entries, 6 messages, /);
  assert.match(out, /\nsound: everything that was accepted can be read\n$/);
  await filled(sim, { dir: "elsewhere", commits: [1] });
  assert.match((await configured(sim, 'data = "elsewhere"', "verify")).out, /log from 0 to 1,/);
  assert.match((await log(sim, "verify", "elsewhere/")).out, /log from 0 to 1,/);
});

Deno.test("M3.5 log verify ends with 65 when it found damage, and names file, byte and messages", async () => {
  const sim = await made();
  const [path] = segmentsOf(sim);
  sim.flipByte(path!, 4096 + 100);
  const { code, out } = await log(sim, "verify");
  assert.equal(code, exitCodes.badData);
  assert.match(out, /\nDAMAGE log\/0{20}-[0-9a-f]{16}\.seg at byte 4096: .*; lost: 3 messages from 0\n/);
  assert.match(out, /\nDAMAGED: 3 messages cannot be read any more\n$/);
  const json = JSON.parse((await log(sim, "verify", "--json")).out);
  assert.deepEqual([json.sound, json.lost, json.findings[0].count], [false, 3, 3]);
});

Deno.test("log verify --deep finds entries that nobody can understand", async () => {
  const sim = new SimWorld(1);
  const twice = encodeEntry({ timestamp: 1, shared: { topic: "t" } }, []).slice();
  await filled(sim, { commits: [1], entry: twice });
  assert.equal((await log(sim, "verify")).code, exitCodes.ok);
  const { code, out } = await log(sim, "verify", "--deep");
  assert.equal(code, exitCodes.badData);
  assert.match(out, /an entry of 1 messages holds 0; lost: 1 messages from 0/);
});

Deno.test("M3.5 log stat prints segments and destinations", async () => {
  const { code, out, err } = await log(await made(), "stat");
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, /^node [0-9a-f]{16}, format 1, start 1, not in use\nlog from 0 to 6, durable mark at 6\n/);
  assert.match(out, /\nSEGMENT +FROM +TO +SIZE +COMMITS +MESSAGES +EPOCH +FIRST COMMIT +LAST COMMIT\n/);
  assert.match(
    out,
    /\n0{20}-[0-9a-f]{16}\.seg +0 +6 +.* +3 +6 +1 +2026-03-01T12:00:00.000Z +2026-03-01T12:00:02.000Z\n/,
  );
  assert.match(out, /\nDESTINATION +STATE +POSITION +PENDING +GENERATION +TAKEN .*\nbus +- +2 +4 +1 +2 /);
  const json = JSON.parse((await log(await made(), "stat", "--json")).out);
  assert.deepEqual([json.messages, json.destinations[0].pending, json.segments.length], [6, 4, 1]);
});

Deno.test("M3.5 log dump prints segments, commits, entries and messages, of a range if one is named", async () => {
  const sim = await made();
  const kinds = async (...args: string[]) =>
    (await log(sim, "dump", "--json", ...args)).out.trim().split("\n").map((line) => JSON.parse(line).kind);
  const commit = (messages: number) => ["commit", "entry", ...Array.from({ length: messages }, () => "message")];
  assert.deepEqual(await kinds(), ["segment", ...commit(3), ...commit(1), ...commit(2)]);
  assert.deepEqual(await kinds("--from", "3", "--to", "4"), ["segment", ...commit(1)]);
  assert.deepEqual(await kinds("--headers", "--from", "3"), ["segment", "commit", "entry", "commit", "entry"]);
  assert.deepEqual(await kinds("--from", "2026-03-01T12:00:02Z"), ["segment", ...commit(2)]);
  const { out } = await log(sim, "dump", "--to", "1");
  assert.match(out, /^segment name 0{20}-[0-9a-f]{16}\.seg, base 0, /);
  assert.match(out, /\n {2}commit byte 4096, bytes \d+, first 0, messages 3, time 2026-03-01T12:00:00.000Z, epoch 1, /);
  assert.match(out, /\n {4}entry first 0, messages 3, bytes \d+\n {6}0 2026-03-01T12:00:00.000Z t \{"n":0,/);
});

Deno.test("log dump shows what is damaged, and what can be read of it", async () => {
  const sim = await made();
  sim.flipByte(segmentsOf(sim)[0]!, 4096 + 20);
  const { out, code } = await log(sim, "dump", "--headers");
  assert.equal(code, 0);
  assert.match(out, /\n {2}damage byte 4096, bytes \d+\n {4}entry first 0, messages 3, bytes \d+\n {2}commit byte/);
  sim.flipByte(segmentsOf(sim)[0]!, 4096 + 100);
  assert.match((await log(sim, "dump", "--headers")).out, /\n {4}entry first 0, messages 3, readable false\n/);
});

Deno.test("log dump lets nothing hostile through to the terminal", async () => {
  const sim = new SimWorld(1);
  const entry = encodeEntry({ timestamp: 1, shared: { topic: "t" } }, [
    { fields: { level: "\x1b[31m" }, data: new TextEncoder().encode("\x9b\x07"), dataIsJson: false },
  ]).slice();
  await filled(sim, { commits: [1], entry });
  for (const args of [["dump"], ["dump", "--json"], ["export"]]) {
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch((await log(sim, ...args)).out, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/, args.join(" "));
  }
});

Deno.test("M3.5 log export writes V1 lines, as destinations would get them", async () => {
  const { code, out, err } = await log(await made(), "export");
  assert.deepEqual([code, err], [0, "6 messages exported, from 0 to 6\n"]);
  const lines = out.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ data }) => data.n), [0, 1, 2, 3, 4, 5]);
  assert.match(lines[4].id, /^[0-9a-f]{16}-1-4$/);
});

Deno.test("M3.5 log export takes a part of the log, some topics, another format, a file", async () => {
  const sim = await made();
  const numbers = async (...args: string[]) =>
    [...(await log(sim, "export", ...args)).out.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
  assert.deepEqual(await numbers("--from", "2", "--to", "5"), [2, 3, 4]);
  assert.deepEqual(await numbers("--from", "2026-03-01T12:00:01Z"), [3, 4, 5]);
  assert.deepEqual(await numbers("--topic", "x*"), []);
  assert.match((await log(sim, "export", "--format", "raw", "--to", "1")).out, /^\{"n":0,"fill":"x+"\}\n$/);
  const { out, code } = await log(sim, "export", "--output", "data/all.ndjson");
  assert.deepEqual([out, code], ["", 0]);
  assert.equal(new TextDecoder().decode(sim.fileBytes("data/all.ndjson")).split("\n").length, 7);
  const again = await log(sim, "export", "--output", "data/all.ndjson");
  assert.equal(again.code, exitCodes.notWritable);
  assert.match(
    again.err,
    /^Cannot write data\/all\.ndjson: it is there already, and nothing is written over: name another/,
  );
});

Deno.test("log export says which messages it cannot give, and ends with 65", async () => {
  const sim = await made();
  sim.flipByte(segmentsOf(sim)[0]!, 4096 + 100);
  const { code, err } = await log(sim, "export", "--from", "1");
  assert.equal(code, exitCodes.badData);
  assert.equal(err, "messages 1 to 2: cannot be read (damaged)\n3 messages exported, from 1 to 6; 2 CANNOT BE READ\n");
  assert.deepEqual(sim.filesUnder("data/quarantine"), []);
});

Deno.test("log export tells when the log begins later than was asked for", async () => {
  const sim = await made({ commits: Array.from({ length: 6 }, () => 2), bytes: 9000 });
  sim.files.remove(segmentsOf(sim)[0]!);
  const { err } = await log(sim, "export", "--from", "3");
  assert.equal(err, "messages 3 to 5: not in the log any more; beginning at 6\n6 messages exported, from 6 to 12\n");
});

Deno.test("M3.5 log repair shows what it would do, and does it with --yes", async () => {
  const sim = await made();
  sim.truncateFile("data/epoch", 0);
  const shown = await log(sim, "repair", "data");
  assert.deepEqual([shown.code, shown.out], [65, "epoch: it is written anew: 1, as the segments say\n"]);
  assert.equal(shown.err, "1 to mend; do it with --yes; damage now: 1, see sparkngin log verify\n");
  const done = await log(sim, "repair", "data", "--yes", "--json");
  assert.deepEqual(JSON.parse(done.out).done, true);
  assert.deepEqual([done.code, done.err], [0, "1 mended; the log is sound\n"]);
  sim.killProcess();
  assert.equal((await log(sim, "repair", "data")).err, "Nothing to mend; the log is sound\n");
});

Deno.test("P18 log repair and adopt refuse a directory in use", async () => {
  const sim = await made();
  await filled(sim, { ...six, dir: "other" });
  sim.files.lock("data/LOCK", "process 7 on here");
  const repair = await log(sim, "repair", "--yes");
  assert.deepEqual([repair.code, repair.err], [
    exitCodes.locked,
    'Cannot repair "./data": process 7 on here has it; stop that first\n',
  ]);
  const adopt = await log(sim, "adopt", "other");
  assert.deepEqual([adopt.code, adopt.err], [
    exitCodes.locked,
    'Cannot use directory "./data": process 7 on here has it\n',
  ]);
});

const bus = '[[destination]]\nname = "bus"\nkind = "file"\n';

Deno.test("M3.5 log adopt takes over what the other node owed, and says what each destination gets", async () => {
  const sim = await made();
  await filled(sim, { dir: "dead", commits: [3, 1, 2], cursors: { bus: 2 } });
  const { code, out, err } = await configured(sim, bus, "adopt", "dead");
  assert.equal(code, 0, err);
  assert.match(out, /^DESTINATION +POSITION THERE +PENDING THERE +COPIES +NOT TAKEN OVER\nbus +2 +4 +0 +0\n$/);
  assert.match(err, /^Adopted 4 messages of node [0-9a-f]{16}, 2 to 5 there\n$/);
  sim.killProcess();
  const lines = (await log(sim, "export", "--from", "6")).out.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ id, data }) => [id.slice(16), data.n]), [2, 3, 4, 5].map((n) => [`-1-${n}`, n]));
  const again = await configured(sim, bus, "adopt", "dead");
  assert.deepEqual([again.code, again.err.slice(0, 34)], [0, "Nothing is left to adopt from node"]);
});

Deno.test("log adopt begins where the required destinations are, and counts the copies for the others", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { dir: "dead", commits: [3, 1, 2], cursors: { bus: 4, es: 2, pub: 1 } });
  const config = `${bus}${bus.replace("bus", "es")}${bus.replace("bus", "pub")}required = false\n`;
  const { out } = await configured(sim, config, "adopt", "dead", "--json");
  const { destinations, from, taken } = JSON.parse(out);
  assert.deepEqual([from, taken], [2, 4]);
  assert.deepEqual(
    destinations.map(({ name, copies, not_taken_over }: Record<string, unknown>) => [name, copies, not_taken_over]),
    [["bus", 2, 0], ["es", 0, 0], ["pub", 0, 1]],
  );
});

Deno.test("P2 destinations of a node that has never run get what it adopts before it runs", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { dir: "dead", commits: [3], cursors: { bus: 0 } });
  await configured(sim, bus, "adopt", "dead");
  sim.killProcess();
  const { destinations } = JSON.parse((await log(sim, "stat", "--json")).out);
  assert.deepEqual([destinations[0].name, destinations[0].pending], ["bus", 3]);
});

Deno.test("P2 log adopt gives up no messages of a destination that is not configured here, unless told to", async () => {
  const sim = new SimWorld(1);
  await filled(sim, { dir: "dead", commits: [3], cursors: { bus: 0, es: 1 } });
  const refused = await configured(sim, bus, "adopt", "dead");
  assert.equal(refused.code, exitCodes.usage);
  assert.match(refused.err, /^Cannot adopt "dead": 2 messages there are for destination "es", which is not configured/);
  sim.killProcess();
  assert.equal((await configured(sim, bus, "adopt", "dead", "--without", "es")).code, 0);
});

Deno.test("log adopt refuses our own directory, and one that another node has adopted", async () => {
  const sim = await made();
  await filled(sim, { dir: "dead", commits: [3], cursors: { bus: 0 } });
  sim.copyFile("data/node", "copy/node");
  await filled(sim, { dir: "copy", commits: [3], cursors: { bus: 0 } });
  assert.match((await configured(sim, bus, "adopt", "copy")).err, /it is of this very node/);
  sim.killProcess();
  await configured(sim, bus, "adopt", "dead");
  sim.killProcess();
  const third = await configured(sim, `data = "third"\n${bus}`, "adopt", "dead");
  assert.equal(third.code, exitCodes.badData);
  assert.match(third.err, /^Cannot adopt "dead": node [0-9a-f]{16} has adopted the messages of this directory up to 3/);
});

Deno.test("what is no data directory is 64, with a sentence", async () => {
  for (const command of ["verify", "stat", "dump", "export", "repair", "adopt"]) {
    const { code, err } = await log(new SimWorld(1), command, "nowhere");
    assert.deepEqual([code, err], [
      exitCodes.usage,
      'Cannot look at "nowhere": there is no log in it; name the data directory of a node\n',
    ], command);
  }
});

Deno.test("a place that is none is 64, and says what is expected", async () => {
  const { code, err } = await log(await made(), "export", "--from", "tomorrow");
  assert.equal(code, exitCodes.usage);
  assert.match(err, /^Cannot understand --from "tomorrow": expected a position, a time such as /);
});

Deno.test("P18 a log of a later format is refused untouched, with 65", async () => {
  const sim = await made();
  const [path] = segmentsOf(sim);
  const { segment } = parseSegmentName(path!.slice("data/log/".length))!;
  const bytes = sim.fileBytes(path!);
  const view = new DataView(bytes.buffer);
  view.setUint16(10, 99, true);
  const head = crc32(bytes.subarray(0, 12), new Salt(segment).at(0));
  view.setUint32(12, crc32(bytes.subarray(16, 128), head), true);
  sim.writeFile(path!, bytes);
  for (const command of ["verify", "stat", "dump", "export", "repair"]) {
    const { code, err } = await log(sim, command);
    assert.equal(code, exitCodes.badData);
    assert.match(err, /^Cannot open segment ".*": a later version of sparkngin wrote it/);
  }
  assert.deepEqual(sim.fileBytes(path!), bytes);
});

Deno.test("while somebody looks, verify and export show how far they are", async () => {
  const sim = await made();
  const read = sim.clock.elapsed.bind(sim.clock);
  let calls = 0;
  sim.clock.elapsed = () => read() + 1000 * calls++;
  for (const command of ["verify", "export"]) {
    const { err } = await sparkngin(["log", command], { world: sim, attended: true });
    // deno-lint-ignore no-control-regex
    assert.match(err, /^\r.*\x1b\[K/, command);
  }
});
