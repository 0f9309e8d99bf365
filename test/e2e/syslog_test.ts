/** From HTTP into syslog, while servers and we come and go. */
import assert from "node:assert/strict";
import { Driver } from "../crash/driver.ts";
import { Oracle } from "../crash/oracle.ts";
import { missing, startSyslog } from "../services/syslog.ts";
import { type Node, runCommand, startNode } from "./node.ts";
import { eventually, pause } from "./waiting.ts";

const limitMs = 120_000;

for (const server of ["rsyslog", "syslog-ng"] as const) {
  const lacks = await missing(server);
  Deno.test({
    name:
      `P2 P3 P6 ${server}: started anew in mid-stream, and we killed: everything arrives, in order, byte for byte${lacks}`,
    ignore: lacks !== "",
    async fn() {
      await using peer = await startSyslog(server);
      const driver = new Driver(3, 4);
      const config = `[[destination]]\nname = "logs"\nkind = "syslog"\nhost = "localhost"\nport = ${peer.ports.tcp}\n` +
        `format = "raw"\nmessage_max = "1MiB"\ntimeout = "5s"\n`;
      await using first = await startNode({ config });
      const allThere = () =>
        eventually("everything to be there", async () => {
          const oracle = new Oracle(driver);
          for (const { text } of await peer.logged()) oracle.see(text);
          const { lost, unexpected, altered, inverted } = oracle.findings();
          assert.deepEqual([lost, unexpected, altered, inverted], [0, 0, 0, 0]);
          return true;
        }, limitMs);
      await offerDuring(first, driver, async () => {
        await peer.stop();
        await pause(1000);
        await peer.start();
      });
      // What a broken connection may have lost is in our memory until then.
      await allThere();
      await offerDuring(first, driver, async () => {
        first.kill("SIGKILL");
        await first.exited;
      });
      await using second = await startNode({ config, dir: first.dir });
      await allThere();
      assert.ok(driver.count("ok") > 100);
      assert.equal(await second.stop(), 0);
    },
  });
}

async function offerDuring(node: Node, driver: Driver, trouble: () => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const offered = driver.offer(node.http, stop.signal);
  await pause(500);
  await trouble();
  await pause(500);
  stop.abort();
  await offered;
}

Deno.test("P13 syslog over UDP is best effort and not required, over TCP it is; written words count", async () => {
  const destination = (more: string, number: number) =>
    `[[destination]]\nname = "logs-${number}"\nkind = "syslog"\nhost = "localhost"\n${more}`;
  const config = ['transport = "udp"\n', 'transport = "udp"\nrequired = true\n', 'transport = "tcp"\n'].map(destination)
    .join("");
  const { stdout, code } = await runCommand(["check"], { config });
  assert.equal(code, 0);
  assert.deepEqual([...stdout.matchAll(/syslog; ([a-z ]+; [a-z ]+);/g)].map(([, words]) => words), [
    "best effort; not required",
    "best effort; required",
    "handed over; required",
  ]);
});
