import assert from "node:assert/strict";
import { type Config, coreKeys, sections, topKeys } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import { readConfig } from "../../src/config/read.ts";
import { changeTo, liveKeys } from "../../src/config/reload.ts";
import file from "../../adaptors/file/mod.ts";

function read(text: string): Config {
  const kinds = { file: file.options };
  const reading = readConfig({
    files: [{ name: "sparkngin.toml", text }],
    flags: {},
    env: {},
    readFile: () => "",
    kinds,
  });
  if ("problems" in reading) throw new Error(reading.problems.join("\n"));
  return reading.config;
}

const destination = (name: string, more = "") => `[[destination]]\nname = "${name}"\nkind = "file"\n${more}\n`;

Deno.test("M8.1 a configuration that says the same in other words changes nothing", () => {
  const running = read(`[log]\nretain = "24h"\n${destination("a")}`);
  const { config, ...change } = changeTo(
    read(`[log]\nretain = "1440m"\n${destination("a", 'from = "oldest"')}`),
    running,
  );
  assert.deepEqual(change, { keys: [], needsRestart: [], added: [], changed: [], removed: [] });
  assert.deepEqual(config.log, running.log);
});

Deno.test("M8.1 destinations are told apart by name: added, changed, removed", () => {
  const running = read(destination("a") + destination("b") + destination("c"));
  const wanted = read(destination("c", "batch = 7") + destination("d") + destination("a"));
  const { added, changed, removed, config } = changeTo(wanted, running);
  assert.deepEqual({ added, changed, removed }, { added: ["d"], changed: ["c"], removed: ["b"] });
  assert.deepEqual(config.destination.map(({ name }) => name), ["c", "d", "a"]);
});

Deno.test("M8.1 keys that need a restart are named and stay as they are; others are taken over", () => {
  const running = read("");
  const wanted = read(
    'data = "elsewhere"\n[http]\nlisten = "127.0.0.1:1"\ntopic = "t"\n[log]\nretain = "1h"\nsegment = "1MiB"',
  );
  const { keys, needsRestart, config } = changeTo(wanted, running);
  assert.deepEqual(keys, ["http.topic", "log.retain"]);
  assert.deepEqual(needsRestart, ["data", "http.listen", "log.segment"]);
  assert.deepEqual([config.data, config.http.listen, config.http.topic], ["./data", "127.0.0.1:8080", "t"]);
  assert.deepEqual([config.log.retain, config.log.segment], [3_600_000, running.log.segment]);
});

Deno.test("every key that a running node takes over exists", () => {
  const paths = coreKeys().map(({ path }) => path);
  assert.deepEqual(liveKeys.filter((path) => !paths.includes(path)), []);
  assert.ok(defaults(topKeys).data && defaults(sections.log).retain);
});
