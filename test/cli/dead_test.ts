import assert from "node:assert/strict";
import { exitCodes } from "../../src/cli/exit.ts";
import { DeadLetters } from "../../src/deliver/dead_letters.ts";
import { openCursor, type Position } from "../../src/log/mod.ts";
import { filled } from "../log/filled.ts";
import { someFacts } from "../observe/facts.ts";
import { fullStatus } from "../../src/observe/status.ts";
import { SimWorld } from "../sim/world.ts";
import { sparkngin } from "./terminal.ts";

const head = {
  position: 7,
  id: "n-1-7",
  topic: "web",
  reason: "mapper_parsing_exception\x1b[31m",
  tries: 1,
  time: Date.UTC(2026, 2, 1),
  again: false,
};
const heads = `${JSON.stringify(head)}\n${JSON.stringify({ ...head, position: 9, again: true })}\n`;
const base = "/destinations/es/dead";

Deno.test("M4 dead ls prints the dead letters of the running server, by destination, with nothing that drives the terminal", async () => {
  const { code, out, err } = await sparkngin(["dead", "ls", "es"], { answers: { [`${base}?form=heads`]: heads } });
  assert.deepEqual([code, err], [0, ""]);
  assert.equal(
    out,
    [
      "DESTINATION  POSITION  SET ASIDE                 TRIES  TOPIC  REASON",
      "es           7         2026-03-01T00:00:00.000Z  1      web    mapper_parsing_exception\\x1b[31m",
      "es           9         2026-03-01T00:00:00.000Z  1      web    (being sent again) mapper_parsing_exception\\x1b[31m",
      "",
    ].join("\n"),
  );
  const status = fullStatus(someFacts());
  const answers: Record<string, string> = { "/status": JSON.stringify(status) };
  for (const { name } of status.destinations) answers[`/destinations/${name}/dead?form=heads`] = heads;
  const all = await sparkngin(["dead", "ls", "--json"], { answers });
  const rows = all.out.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(rows.map(({ destination }) => destination), status.destinations.flatMap(({ name }) => [name, name]));
  assert.deepEqual(rows[0], { destination: status.destinations[0]!.name, ...head });
});

Deno.test("M4 filters go to the server, and what cannot be understood is 64", async () => {
  const answers = { [`${base}?form=heads&reason=a+b&topic=web.*&since=2h`]: "" };
  const found = await sparkngin(["dead", "ls", "es", "--reason", "a b", "--topic", "web.*", "--since", "2h"], {
    answers,
  });
  assert.deepEqual([found.code, found.err], [0, ""]);
  const bad = await sparkngin(["dead", "ls", "es", "--since", "tomorrow"], { world: new SimWorld(1) });
  assert.deepEqual([bad.code, bad.asked], [exitCodes.usage, []]);
  assert.match(bad.err, /^Cannot understand since "tomorrow": expected a time/);
});

Deno.test("M4 dead show prints a letter with its message, and 64 when there is none", async () => {
  const letter = JSON.stringify(head).slice(0, -1) +
    ',"message":{"id":"n-1-7","timestamp":1,"topic":"web","data":{"n":12345678901234567890}}}';
  const path = `${base}?form=letters&position=7`;
  const { code, out } = await sparkngin(["dead", "show", "es", "7"], { answers: { [path]: `${letter}\n` } });
  assert.equal(code, 0);
  assert.match(out, /^reason: +mapper_parsing_exception\\x1b\[31m$/m);
  assert.match(out, /^message: +1970-01-01T00:00:00.001Z web \{"n":12345678901234567890\}$/m);
  const none = await sparkngin(["dead", "show", "es", "7"], { answers: { [path]: "" } });
  assert.deepEqual([none.code, none.err], [
    exitCodes.usage,
    'There is no dead letter with position 7 of "es": see sparkngin dead ls\n',
  ]);
});

Deno.test("M4 dead replay and purge tell the running server; purge wants --yes and says how many it would be", async () => {
  const answers = {
    [`${base}/replay`]: '{"name":"es","letters":1,"left":2}',
    [`${base}/purge`]: '{"name":"es","letters":2,"left":0}',
    [`${base}?form=heads`]: heads,
  };
  const replay = await sparkngin(["dead", "replay", "es", "--position", "7"], { answers });
  assert.deepEqual([replay.code, replay.out], [0, "es: 1 dead letter will be sent again\n"]);
  assert.deepEqual(replay.asked, [`POST http://127.0.0.1:8081${base}/replay {"position":"7"}`]);
  const unsure = await sparkngin(["dead", "purge", "es"], { answers });
  assert.equal(unsure.code, exitCodes.usage);
  assert.match(unsure.err, /^Would throw away 2 dead letters of "es", for ever: say --yes/);
  const purge = await sparkngin(["dead", "purge", "es", "--yes"], { answers });
  assert.deepEqual([purge.code, purge.out], [0, "es: 2 dead letters thrown away, 0 left\n"]);
});

/** A directory of a stopped server: a destination at 6, with dead letters at 1, 3 and 4. */
async function stopped(): Promise<SimWorld> {
  const sim = new SimWorld(1);
  await filled(sim, { commits: [3, 1, 2], cursors: { es: 6 } });
  const world = sim.boot();
  const nowhere = 0 as Position;
  const node = new TextDecoder().decode(sim.fileBytes("data/node")).slice(0, 16);
  const cursor = openCursor(world, "data", "es", node, { fresh: nowhere, lost: nowhere });
  cursor.restart(nowhere);
  cursor.advance(6 as Position, { taken: 3, dead: 3 });
  cursor.sync();
  const letters = new DeadLetters(world, "data/dead/es", { node, bytesMax: 1 << 30, report() {} });
  const refused = [1, 3, 4].map((position) => {
    const data = new TextEncoder().encode(`{"n": ${position}}`);
    const message = { topic: position === 3 ? "app" : "web", timestamp: 5, data, dataIsJson: true };
    const delivery = { id: `id-${position}`, position: position as Position, message, body: data };
    return { delivery, reason: position === 4 ? "too large" : "No such field" };
  });
  await sim.run(letters.keep(refused, 1, 2));
  await sim.run(letters.close());
  sim.killProcess();
  return sim;
}
const cold = async (sim: SimWorld, ...args: string[]) => {
  const printed = await sim.run(sparkngin(["dead", ...args, "--data", "data"], { world: sim }));
  sim.killProcess();
  return printed!;
};

Deno.test("M4 with --data dead letters of a stopped server are read, sent again at its next start, and thrown away", async () => {
  const sim = await stopped();
  const listed = async (...args: string[]) => {
    const { code, out, err } = await cold(sim, "ls", "--json", ...args);
    assert.deepEqual([code, err], [0, ""]);
    return out.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line)).map(({ position, again }) =>
      again ? [position, "again"] : position
    );
  };
  assert.deepEqual(await listed(), [1, 3, 4]);
  assert.deepEqual(await listed("es", "--reason", "no SUCH"), [1, 3]);
  assert.deepEqual(await listed("es", "--topic", "web"), [1, 4]);
  assert.deepEqual(await listed("es", "--until", "2020-01-01T00:00:00Z"), []);
  assert.equal((await cold(sim, "export", "es", "--format", "raw")).out, '{"n": 1}\n{"n": 3}\n{"n": 4}\n');
  assert.match((await cold(sim, "show", "es", "3")).out, /^message: +1970-01-01T00:00:00.005Z app \{"n":3\}$/m);
  const replayed = await cold(sim, "replay", "es", "--topic", "app");
  assert.deepEqual([replayed.code, replayed.out, replayed.err], [
    0,
    "es: 1 dead letter will be sent again when the server runs\n",
    "",
  ]);
  assert.deepEqual(await listed(), [1, [3, "again"], 4]);
  assert.match((await cold(sim, "purge", "es")).err, /^Would throw away 3 dead letters/);
  assert.equal(
    (await cold(sim, "purge", "es", "--yes", "--reason", "large")).out,
    "es: 1 dead letter thrown away, 2 left\n",
  );
  sim.cutPower();
  assert.deepEqual(await listed(), [1, [3, "again"]]);
  const verified = await sparkngin(["log", "verify", "--deep", "data"], { world: sim });
  assert.equal(verified.out.includes("dead/es"), false, verified.out);
  assert.match(verified.out, /^dead letters of es: 5 records$/m);
});

Deno.test("P18 with --data a directory in use can be looked at, and not changed; an unknown destination is told", async () => {
  const sim = await stopped();
  const unknown = await cold(sim, "ls", "bus");
  assert.deepEqual([unknown.code, unknown.err], [exitCodes.usage, 'There is no destination "bus"; there is: "es"\n']);
  sim.files.lock("data/LOCK", "process 7 on here");
  assert.equal((await sparkngin(["dead", "ls", "--data", "data"], { world: sim })).code, 0);
  const { code, err } = await sparkngin(["dead", "replay", "es", "--data", "data"], { world: sim });
  assert.equal(code, exitCodes.locked);
  assert.match(err, /to tell a running server, leave --data out\n$/);
});
