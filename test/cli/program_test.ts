import assert from "node:assert/strict";
import { exitCodes } from "../../src/cli/exit.ts";
import { version } from "../../src/cli/version.ts";
import { coreKeys } from "../../src/config/keys.ts";
import denoJson from "../../deno.json" with { type: "json" };
import { sparkngin } from "./terminal.ts";

Deno.test("the version is that of deno.json", async () => {
  assert.equal(version, denoJson.version);
  for (const flag of ["--version", "-V"]) {
    assert.deepEqual(await sparkngin([flag]), { code: 0, out: `sparkngin ${version}\n`, err: "", asked: [] });
  }
});

Deno.test("plain sparkngin and --help print the commands on standard output", async () => {
  for (const args of [[], ["--help"], ["help"], ["-h"]]) {
    const { code, out, err } = await sparkngin(args);
    assert.deepEqual([code, err], [0, ""]);
    for (const command of ["run", "check", "config", "status", "tail", "destination", "key", "log"]) {
      assert.match(out, new RegExp(`^  ${command} `, "m"));
    }
  }
});

Deno.test("run, check and config have a flag for every key, with its help and default", async () => {
  for (const command of ["run", "check", "config show"]) {
    const { out } = await sparkngin([...command.split(" "), "--help"]);
    for (const { flag, option } of coreKeys()) {
      assert.ok(out.includes(`${flag} `), flag);
      assert.ok(out.replace(/\s+/g, " ").includes(option.help), option.help);
    }
    assert.match(out, /--log-segment <size>.*\(default: 64MiB\)/s);
  }
});

Deno.test("a wrong command line is 64, with one sentence on standard error", async () => {
  const expected: [string[], string][] = [
    [["statsu"], "Cannot do that: unknown command 'statsu' (did you mean status?)\n"],
    [["status", "--urk"], "Cannot do that: unknown option '--urk' (did you mean --url?)\n"],
    [["--urk"], "Cannot do that: unknown option '--urk'\n"],
    [["tail", "--topic"], "Cannot do that: option '--topic <pattern>' argument missing\n"],
    [["check", "extra"], "Cannot do that: too many arguments for 'check'. Expected 0 arguments but got 1.\n"],
  ];
  for (const [args, err] of expected) {
    assert.deepEqual(await sparkngin(args), { code: exitCodes.usage, out: "", err, asked: [] });
  }
});

Deno.test("an unexpected problem is 1 and asks for a report", async () => {
  const { code, err } = await sparkngin(["status"], { answers: { "/status": brokenStatus } });
  assert.equal(code, exitCodes.unexpected);
  assert.match(err, /^Something unexpected happened; please report it: TypeError/);
});

/** Passes for a status until it is printed. */
const brokenStatus = JSON.stringify({ log: {}, destinations: [null] });
