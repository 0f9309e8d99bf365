/**
 * The real program, killed at random times under load and started again on the same directory, many times; then all it said yes
 * to must be there. `SPARKNGIN_KILLS` says how often, `SEED` replays the choices of a run.
 */
import assert from "node:assert";
import { launchNode, makeTempDir, type Node, startNode } from "../e2e/node.ts";
import { arrived } from "../e2e/output.ts";
import { eventually, pause } from "../e2e/waiting.ts";
import { chance, Driver } from "./driver.ts";
import { examine, type Findings } from "./oracle.ts";

const kills = Number(Deno.env.get("SPARKNGIN_KILLS") ?? 25);
const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));

/** Small files, so that all kinds of ends and beginnings are met. */
const config = `
[log]
segment = "1MiB"
retain_max = "4MiB"

[[destination]]
name = "out"
kind = "file"
roll_bytes = "300KiB"
keep_max = "0"

[[destination]]
name = "second"
kind = "file"
batch = 50
keep_max = "0"
`;

interface Round {
  readonly dir: string;
  readonly driver: Driver;
  readonly random: () => number;
}

Deno.test(`P1 P2 P3 P6 P7: ${kills} kills under load lose, alter, invent and reorder nothing (SEED=${seed})`, async () => {
  await using home = await makeTempDir();
  const driver = new Driver(seed, 6);
  const random = chance(seed, -1);
  const begin = performance.now();
  const ends = { killed: 0, killedInStart: 0, stopped: 0 };
  while (ends.killed + ends.killedInStart < kills) {
    const end = chooseEnd(random());
    await ways[end]({ dir: home.path, driver, random });
    ends[end]++;
  }
  await passFresh(home.path);
  const found = {
    out: await examine(driver, `${home.path}/data/out`),
    second: await examine(driver, `${home.path}/data/out-second`),
  };
  const sent = { ok: driver.count("ok"), fail: driver.count("fail"), unknown: driver.count("unknown") };
  const seconds = Math.round((performance.now() - begin) / 1000);
  console.log(JSON.stringify({ test: "kill", seed, ...ends, sent, ...found, seconds }));
  assert.ok(sent.ok > 100 * kills / 25);
  for (const findings of Object.values(found)) assertSound(findings, driver);
});

type End = "killed" | "killedInStart" | "stopped";

function chooseEnd(number: number): End {
  return number < 0.15 ? "stopped" : number < 0.25 ? "killedInStart" : "killed";
}

const ways: Readonly<Record<End, (round: Round) => Promise<void>>> = {
  async killed(round) {
    await underLoad(round, async (node) => {
      node.kill("SIGKILL");
      await node.exited;
    });
  },
  async killedInStart({ dir, random }) {
    await using node = await launchNode({ dir, config });
    await pause(random() * 600);
    node.kill("SIGKILL");
  },
  async stopped(round) {
    await underLoad(round, async (node) => assert.equal(await node.stop(), 0, node.stderr()));
  },
};

async function underLoad({ dir, driver, random }: Round, end: (node: Node) => Promise<void>): Promise<void> {
  await using node = await startNode({ dir, config });
  const stop = new AbortController();
  const offered = driver.offer(node.http, stop.signal);
  await pause(30 + random() * 1200);
  await end(node);
  stop.abort();
  await offered;
  assert.ok(!node.log().some(({ level }) => level === "error"), node.stderr());
}

/** Drains what is left, and sees a message through that came after all of this. */
async function passFresh(dir: string): Promise<void> {
  await using node = await startNode({ dir, config });
  const answer = await fetch(`http://${node.http}/log?topic=fresh&n=1`);
  assert.equal(answer.status, 204);
  await arrived(`${dir}/data/out`, "fresh");
  await arrived(`${dir}/data/out-second`, "fresh");
  const status = await eventually("nothing pending", async () => {
    const found = await (await fetch(`http://${node.management}/status`)).json();
    return found.destinations.every(({ pending }: { pending: number }) => pending === 0) && found;
  });
  for (const { conserved, dead, damaged, taken, position } of status.destinations) {
    assert.deepEqual([conserved, dead, damaged, taken], [true, 0, 0, position]);
  }
  assert.equal(await node.stop(), 0);
}

function assertSound({ arrived, ...rest }: Findings, driver: Driver): void {
  assert.deepEqual(rest, { copies: 0, lost: 0, unexpected: 0, altered: 0, inverted: 0, torn: 0 });
  assert.ok(arrived >= driver.count("ok") && arrived <= driver.count("ok") + driver.count("unknown"));
}
