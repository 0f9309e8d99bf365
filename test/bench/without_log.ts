/**
 * The server without its log: `deno run -A test/bench/without_log.ts PORT` takes messages as intake does, and answers at the end
 * of the turn without having kept anything.
 */
import { sections } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import { Deliveries } from "../../src/ingest/deliveries.ts";
import { openRoutes } from "../../src/ingest/routes.ts";
import { serveHttp } from "../../src/ingest/server.ts";
import { nodeStates, Table } from "../../src/observe/table.ts";
import { realWorld } from "../../src/os/deno.ts";
import { MemoryLog } from "./memory_log.ts";

const { clock } = realWorld();
const http = defaults(sections.http);
const table = Table.allocate(0);
table.set("state", nodeStates.indexOf("ready"));

let isDue = false;
const log = new MemoryLog(() => {
  if (isDue) return;
  isDue = true;
  clock.turn(() => {
    isDue = false;
    log.commit();
  });
});

await serveHttp({
  listen: `127.0.0.1:${Deno.args[0]}`,
  handle: openRoutes({
    http,
    log,
    deliveries: new Deliveries({ clock, setWaiters() {} }),
    clock,
    table,
    node: "9f3c01aa27de4410",
    epoch: () => 1,
    version: "0",
    status: () => "{}",
  }),
  clock,
  connectionsMax: http.connections_max,
  connectionsPerAddress: http.connections_per_address,
  bodiesMax: http.bodies_max,
  report: (text) => console.error(text),
});
