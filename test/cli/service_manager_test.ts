import assert from "node:assert/strict";
import { openServiceManager, watchdogMs } from "../../src/cli/service_manager.ts";

/** It is spoken to for the life of the process. */
const lasting = { sanitizeResources: false };

Deno.test("silence is minded only where the service manager asks for signs of life, and of this process", () => {
  assert.equal(watchdogMs({}), 0);
  assert.equal(watchdogMs({ WATCHDOG_USEC: "30000000" }), 30_000);
  assert.equal(watchdogMs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "17" }, 17), 30_000);
  assert.equal(watchdogMs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "18" }, 17), 0);
  for (const odd of ["", "0", "-1", "soon"]) assert.equal(watchdogMs({ WATCHDOG_USEC: odd }), 0, odd);
});

Deno.test("a service manager that cannot be reached is reported once, and is no obstacle", lasting, async () => {
  const reports: string[] = [];
  const told = Promise.withResolvers<void>();
  const manager = openServiceManager({ NOTIFY_SOCKET: "/nowhere/at/all" }, (text) => {
    reports.push(text);
    told.resolve();
  });
  manager.ready("here");
  manager.stopping();
  await told.promise;
  assert.equal(reports.length, 1);
  assert.match(reports[0]!, /^cannot tell the service manager/);
});
