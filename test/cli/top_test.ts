import assert from "node:assert/strict";
import { lines, type Look, ratesOf } from "../../src/cli/top.ts";
import { realWorld } from "../../src/os/deno.ts";
import { fullStatus, type Status } from "../../src/observe/status.ts";
import { someFacts } from "../observe/facts.ts";
import { sparkngin } from "./terminal.ts";

const status = JSON.parse(JSON.stringify(fullStatus(someFacts()))) as Status;

/** The same server, a second later: each destination stands `steps` further. */
function later({ accepted = 0, steps = [0, 0], bytes = 0 }): Look {
  const destinations = status.destinations.map((one, i) => ({ ...one, position: one.position + steps[i]! }));
  const log = { ...status.log, bytes: status.log.bytes + bytes };
  return { status: { ...status, accepted: status.accepted + accepted, destinations, log }, at: 1000 };
}

Deno.test("M7.5 top tells rates, and when a destination will have caught up and the disk be full", () => {
  const rates = ratesOf({ status, at: 0 }, later({ accepted: 10, steps: [25, 10], bytes: 2 ** 20 / 64 }));
  assert.deepEqual([rates.accepted_per_s, rates.passed_per_s], [10, [25, 10]]);
  assert.deepEqual([rates.caught_up_s, rates.full_s], [[2, 0], 64]);
  assert.equal(
    lines(rates).join("\n"),
    `sparkngin 0.1.0, node 9f3c01aa27de4410, up 1 min 1 s, ready
in    10 messages a second, 100 since the start
disk  20.0 KiB of log, 1.0 MiB free, full in 1 min 4 s if it goes on so

DESTINATION  KIND   STATE       PER SECOND  PENDING    LAG  CAUGHT UP IN  DEAD
bus          kafka  waiting             25       30  2.5 s           2 s     1
out          file   delivering          10        0    0 s             -     0
bus: broker is away`,
  );
});

Deno.test("one that does not gain never catches up, and one that was rewound has no rate below nothing", () => {
  const rates = ratesOf({ status, at: 0 }, later({ accepted: 10, steps: [10, -50] }));
  assert.deepEqual([rates.caught_up_s, rates.passed_per_s, rates.full_s], [[undefined, 0], [10, 0], undefined]);
});

const answers = { "/status": JSON.stringify(status) };
const world = realWorld();

Deno.test("M7.5 off a terminal top prints once, and as JSON if asked", async () => {
  const { code, out, err, asked } = await sparkngin(["top", "--every", "1ms"], { answers, world });
  assert.deepEqual([code, err, asked.length], [0, "", 2]);
  assert.match(out, /^in {4}0 messages a second, 90 since the start$/m);
  assert.ok(!out.includes("\x1b"));
  const json = JSON.parse((await sparkngin(["top", "--json", "--every", "1ms"], { answers, world })).out);
  assert.deepEqual([json.accepted_per_s, json.status.node], [0, status.node]);
});

Deno.test("a server that is not there is 69", async () => {
  assert.equal((await sparkngin(["top", "--once"], { answers: { "/status": 503 }, world })).code, 69);
});
