import assert from "node:assert/strict";
import { exitCodes } from "../../src/cli/exit.ts";
import { peekCursor } from "../../src/log/cursor.ts";
import { fullStatus } from "../../src/observe/status.ts";
import { filled } from "../log/filled.ts";
import { someFacts } from "../observe/facts.ts";
import { SimWorld } from "../sim/world.ts";
import { sparkngin, withCode } from "./terminal.ts";

const status = fullStatus(someFacts());
const answers = { "/status": JSON.stringify(status) };
const paused = { name: "bus", state: "paused", position: 70, pending: 30, generation: 1, start: 20, moved: 0 };

Deno.test("M3.2 destination ls prints the destinations of the running server", async () => {
  const { code, out, err } = await sparkngin(["destination", "ls"], { answers });
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, /^DESTINATION +KIND +STATE +POSITION /);
  assert.match(out, /\nbus +kafka +waiting +70 +30 /);
  const json = await sparkngin(["destination", "ls", "--json"], { answers });
  assert.deepEqual(JSON.parse(json.out), JSON.parse(JSON.stringify(status.destinations)));
});

Deno.test("M3.2 orders go to the running server as JSON, and its answer is told in one line", async () => {
  const tell = async (args: string[], path: string, answer: object) => {
    const printed = await sparkngin(["destination", ...args], { answers: { [path]: JSON.stringify(answer) } });
    assert.deepEqual([printed.code, printed.err], [0, ""]);
    return [printed.asked[0], printed.out];
  };
  const base = "POST http://127.0.0.1:8081/destinations/bus";
  assert.deepEqual(await tell(["pause", "bus"], "/destinations/bus/pause", paused), [
    `${base}/pause {}`,
    "bus: paused at 70, 30 messages wait\n",
  ]);
  const delivering = { ...paused, state: "delivering" };
  assert.deepEqual(await tell(["resume", "bus"], "/destinations/bus/resume", delivering), [
    `${base}/resume {}`,
    "bus: delivering at 70, 30 messages wait\n",
  ]);
  const back = { ...delivering, position: 20, pending: 80, generation: 2, moved: 50 };
  assert.deepEqual(await tell(["rewind", "bus", "--to", "2h"], "/destinations/bus/rewind", back), [
    `${base}/rewind {"to":"2h"}`,
    "bus: back to 20 by 50 messages, generation 2; delivering, 80 messages wait\n",
  ]);
  const on = { ...paused, position: 100, pending: 0, moved: 30 };
  assert.deepEqual(await tell(["skip", "--to", "now", "bus"], "/destinations/bus/skip", on), [
    `${base}/skip {"to":"now"}`,
    "bus: skipped 30 messages, stands at 100; paused, 0 messages wait\n",
  ]);
  const json = await sparkngin(["destination", "pause", "bus", "--json", "--url", "b:1"], {
    answers: { "/destinations/bus/pause": JSON.stringify(paused) },
  });
  assert.deepEqual([JSON.parse(json.out), json.asked], [paused, ["POST http://b:1/destinations/bus/pause {}"]]);
});

Deno.test("M3.2 a refusal is 64 with its reason; a server that is not there or is busy is 69", async () => {
  const path = "/destinations/bus/rewind";
  const refused = async (answer: Error | number | { status: number; body: string }) => {
    const { code, out, err } = await sparkngin(["destination", "rewind", "bus", "--to", "5"], {
      answers: { [path]: answer },
    });
    return [code, out, err];
  };
  const detail = JSON.stringify({ detail: "Cannot rewind to 5\x1b" });
  assert.deepEqual(await refused({ status: 409, body: detail }), [exitCodes.usage, "", "Cannot rewind to 5\\x1b\n"]);
  const url = `http://127.0.0.1:8081${path}`;
  assert.deepEqual(await refused({ status: 503, body: detail }), [
    exitCodes.unreachable,
    "",
    `Cannot tell ${url}: it answered 503 Cannot rewind to 5\\x1b\n`,
  ]);
  assert.deepEqual((await refused(404))[0], exitCodes.unreachable);
  assert.deepEqual(await refused(withCode("ECONNREFUSED", "x")), [
    exitCodes.unreachable,
    "",
    "Cannot reach http://127.0.0.1:8081: nothing listens there; is sparkngin running?\n",
  ]);
});

async function stopped(): Promise<SimWorld> {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [3, 1, 2], cursors: { bus: 2 } });
  return sim;
}
/** What `sparkngin destination ARGS --data data` prints. */
const cold = (world: SimWorld, ...args: string[]) => sparkngin(["destination", ...args, "--data", "data"], { world });

Deno.test("M3.2 with --data the orders work on the directory of a stopped server", async () => {
  const sim = await stopped();
  const told = async (...args: string[]) => {
    const { code, out, err, asked } = await cold(sim, ...args);
    sim.killProcess();
    assert.deepEqual([code, err, asked], [0, "", []]);
    return out;
  };
  assert.equal(await told("pause", "bus"), "bus: paused at 2, 4 messages wait\n");
  assert.equal(
    await told("skip", "bus", "--to", "5"),
    "bus: skipped 3 messages, stands at 5; paused, 1 messages wait\n",
  );
  assert.equal(
    await told("rewind", "bus", "--to", "2026-03-01T12:00:01Z"),
    "bus: back to 3 by 2 messages, generation 2; paused, 3 messages wait\n",
  );
  assert.match(await told("ls"), /\nbus +paused +3 +3 +2 /);
  assert.equal(await told("resume", "bus"), "bus: delivering at 3, 3 messages wait\n");
  const { position, generation, paused } = peekCursor(sim.files, "data", "bus")!;
  assert.deepEqual([position, generation, paused], [3, 2, false]);
});

Deno.test("P18 with --data a directory in use is 75, and the way out is named", async () => {
  const sim = await stopped();
  sim.files.lock("data/LOCK", "process 7 on here");
  const { code, err } = await cold(sim, "pause", "bus");
  assert.equal(code, exitCodes.locked);
  assert.match(err, /process 7 on here has it; to tell a running server, leave --data out\n$/);
});

Deno.test("with --data an unknown or unreadable destination is told", async () => {
  const sim = await stopped();
  const unknown = await cold(sim, "pause", "es");
  assert.deepEqual([unknown.code, unknown.err], [exitCodes.usage, 'There is no destination "es"; there is: "bus"\n']);
  sim.killProcess();
  sim.truncateFile("data/cursors/bus", 10);
  assert.equal((await cold(sim, "pause", "bus")).code, exitCodes.badData);
  sim.killProcess();
  assert.equal((await cold(sim, "ls")).out.includes("unreadable"), true);
});

Deno.test("rewind and skip without --to are 64", async () => {
  for (const what of ["rewind", "skip"]) {
    const { code, err } = await sparkngin(["destination", what, "bus"]);
    assert.deepEqual([code, err], [
      exitCodes.usage,
      "Cannot do that: required option '--to <where>' not specified\n",
    ]);
  }
});
