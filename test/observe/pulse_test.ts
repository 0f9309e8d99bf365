import assert from "node:assert";
import { Pulse } from "../../src/observe/pulse.ts";
import { SimClock } from "../sim/clock.ts";

Deno.test("P21: a thread that stands still for ten seconds is told, and that it goes on again, too", async () => {
  const clock = new SimClock();
  let beats = 0;
  const said: boolean[] = [];
  const stop = new AbortController();
  const pulse = new Pulse(clock, () => beats);
  const watched = pulse.watch(stop.signal, (stalled) => said.push(stalled));
  const pass = async (seconds: number, beating: boolean) => {
    for (let i = 0; i < seconds; i++) {
      if (beating) beats++;
      await clock.run(clock.sleep(1000));
    }
  };
  await pass(30, true);
  await pass(9, false);
  assert.deepEqual([pulse.stalled, said], [false, []]);
  await pass(3, false);
  assert.deepEqual([pulse.stalled, said], [true, [true]]);
  await pass(2, true);
  assert.deepEqual([pulse.stalled, said], [false, [true, false]]);
  stop.abort();
  await clock.run(watched);
});
