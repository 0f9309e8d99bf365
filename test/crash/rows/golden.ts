/** Directories that earlier versions wrote, under this one: killed while it starts on them for the first time, all of them is there. */
import assert from "node:assert";
import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { decodeEntry } from "../../../src/message/wire.ts";
import { launchNode, makeTempDir, type Node, runCommand } from "../../e2e/node.ts";
import { readOutput } from "../../e2e/output.ts";
import { eventually, pause } from "../../e2e/waiting.ts";
import { chance, Driver } from "../driver.ts";
import { Recoveries, sumOf, underLoad } from "../life.ts";
import { missing } from "../needs.ts";
import { drainTo, stopInTime, tell } from "../operator.ts";
import { examine, type Findings } from "../oracle.ts";
import type { Order, Outcome, Row } from "../row.ts";
import { copyTree, digestTree } from "../tree.ts";

const golden = new URL("../../golden", import.meta.url).pathname;
const names = [...Deno.readDirSync(golden)].filter(({ name, isDirectory }) => isDirectory && name.startsWith("log-"))
  .map(({ name }) => name).sort();
const killsMax = 3;

/** What is delivered is kept, however old it is: then the files can be compared. */
const config = `
[log]
retain = "36500d"

[[destination]]
name = "out"
kind = "file"
keep = "0s"
keep_max = "0"
`;

/** What a golden directory holds, of what is written beside it. */
interface Held {
  readonly node: string;
  readonly low: number;
  readonly entries: readonly { readonly position: number; readonly epoch: number; readonly bytes: string }[];
}

async function run({ runs, seed, goOn }: Order): Promise<Outcome> {
  const random = chance(seed, -19);
  const recoveries = new Recoveries();
  const found: Findings[] = [];
  let accepted = 0;
  let done = 0;
  do {
    const driver = new Driver(seed + done, 4);
    const name = names[done % names.length]!;
    found.push(await upgrade({ name, driver, random, recoveries }));
    accepted += driver.count("ok");
    await refuseNewer(name);
    done++;
  } while (done < runs && goOn(done));
  return {
    runs: done,
    accepted,
    findings: sumOf(found),
    worstRecoveryMs: recoveries.worstMs,
    remark: `directories: ${names.join(", ")}`,
  };
}

interface Upgrade {
  readonly name: string;
  readonly driver: Driver;
  readonly random: () => number;
  readonly recoveries: Recoveries;
}

async function upgrade({ name, driver, random, recoveries }: Upgrade): Promise<Findings> {
  await using home = await makeTempDir();
  const dir = home.path;
  const out = `${dir}/data/out`;
  await copyTree(`${golden}/${name}`, `${dir}/data`);
  const before = await digestTree(`${dir}/data/log`);
  for (let kills = Math.floor(random() * (killsMax + 1)); kills > 0; kills--) await killInStart(dir, random);
  await using node = await recoveries.start({ dir, config });
  await underLoad(node, driver, () => pause(100));
  await tell(node, "out", "rewind", { to: "oldest" });
  await drainTo({ out }, node);
  await assertAllThere(out, JSON.parse(await Deno.readTextFile(`${golden}/${name}.json`)));
  assertQuiet(node);
  await stopInTime(node);
  const after = await digestTree(`${dir}/data/log`);
  for (const [path, digest] of Object.entries(before)) assert.equal(after[path], digest, `${path} was rewritten`);
  return { ...await examine(driver, out), copies: 0 };
}

async function killInStart(dir: string, random: () => number): Promise<void> {
  await using node = await launchNode({ dir, config });
  await pause(random() * 500);
  node.kill("SIGKILL");
}

/** Every message from the low mark on, by its id, byte for byte; more than once, because the destination was sent back. */
async function assertAllThere(out: string, { node, entries }: Held): Promise<void> {
  const messages = entries.flatMap(({ position, epoch, bytes }) =>
    decodeEntry(Buffer.from(bytes, "base64")).map(({ topic, data }, i) => ({
      id: `${node}-${epoch}-${position + i}`,
      topic: topic!,
      data: new TextDecoder().decode(data),
    }))
  );
  assert.ok(messages.length > 0);
  for (const { id, topic, data } of messages) {
    const lines = await eventually(`message ${id}`, async () => {
      const found = (await readOutput(out, topic)).filter((line) => line.id === id);
      return found.length > 0 && found;
    });
    for (const line of lines) assert.equal(line.data, data);
  }
}

/** A rewind is told as a warning; nothing else is to be told. */
function assertQuiet(node: Node): void {
  const told = node.log().filter(({ level, message }) => level !== "info" && !message.startsWith("rewind by command"));
  assert.deepEqual(told, []);
}

async function refuseNewer(name: string): Promise<void> {
  await using home = await makeTempDir();
  const dir = home.path;
  await copyTree(`${golden}/${name}`, `${dir}/data`);
  const last = [...Deno.readDirSync(`${dir}/data/log`)].map(({ name }) => name).sort().at(-1)!;
  const bytes = await Deno.readFile(`${dir}/data/log/${last}`);
  await Deno.writeFile(`${dir}/data/log/${last}`, newer(bytes, last.slice(21, 37)));
  const before = await digestTree(`${dir}/data`);
  const { code, stderr } = await runCommand(["run", "--http-listen", "127.0.0.1:0"], { dir });
  assert.equal(code, 65, stderr);
  assert.ok(stderr.includes("later version"), stderr);
  assert.deepEqual(await digestTree(`${dir}/data`), before);
}

/** The segment as a version that needs a newer reader would write it. */
function newer(bytes: Uint8Array, segment: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint16(10, view.getUint16(8, true) + 1, true);
  const salt = crc32(new Uint8Array(8), crc32(Buffer.from(segment, "hex")));
  view.setUint32(12, crc32(bytes.subarray(16, 128), crc32(bytes.subarray(0, 12), salt)), true);
  return bytes;
}

export const row: Row = {
  number: 19,
  name: "directories of earlier versions, killed in the first start; a later format",
  promises: "P1 P2 P3 P19",
  runs: { ci: 5, full: 50, nightly: 500 },
  missing: () => missing([]),
  run,
};
