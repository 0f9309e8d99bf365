import assert from "node:assert/strict";
import { renderConfig } from "../../src/cli/config.ts";
import { optional, secret, text } from "../../src/config/options.ts";
import { readConfig } from "../../src/config/read.ts";
import { sparkngin } from "./terminal.ts";

const kinds = { web: { url: text("where"), password: secret(optional(text("of the user"))) } };

function rendered(file: string, env: Record<string, string> = {}): string {
  const reading = readConfig({
    files: [{ name: "sparkngin.toml", text: file }],
    env,
    flags: {},
    kinds,
    readFile: () => "",
  });
  if ("problems" in reading) assert.fail(reading.problems.join("\n"));
  return renderConfig({ ...reading, path: "sparkngin.toml", kinds });
}

Deno.test("M8.1 config prints every value with its origin", async () => {
  const { code, out } = await sparkngin(["config", "--log-retain", "36h"], {
    files: { "./sparkngin.toml": '[http]\nroot = "/sn"\n' },
    env: { SPARKNGIN_DATA: "/d" },
  });
  assert.equal(code, 0);
  assert.match(out, /^data = "\/d" +# SPARKNGIN_DATA$/m);
  assert.match(out, /^root = "\/sn" +# sparkngin\.toml:2$/m);
  assert.match(out, /^retain = "36h" +# --log-retain$/m);
  assert.match(out, /^segment = "64MiB" +# default$/m);
  assert.match(out, /^\[\[destination\]\]\nname = "out" +# default$/m);
});

const file = `[http]
cookies = ["a\\"b", "\\u001b"]
[log]
retain = "1500ms"
[[destination]]
name = "a"
kind = "web"
url = "http://u:\${PASSWORD}@h/"
password = "hunter2"
filter = { topic = "web.*" }
`;

Deno.test("config never prints a secret, nor what a reference brought", () => {
  const text = rendered(file, { PASSWORD: "hunter3" });
  assert.ok(!/hunter/.test(text));
  assert.match(text, /^password = "\(secret\)" +# sparkngin.toml:9$/m);
  assert.match(text, /^url = "http:\/\/u:\$\{PASSWORD\}@h\/" +# sparkngin.toml:8$/m);
});

Deno.test("what config prints can be read back to the same, but for secrets", () => {
  const env = { PASSWORD: "hunter3" };
  const text = rendered(file, env);
  const again = rendered(text, env);
  const values = (toml: string) => toml.replace(/ +# .*$/gm, "");
  assert.equal(values(again), values(text));
  assert.match(text, /^retain = "1500ms"/m);
});

Deno.test("config cannot drive the terminal", () => {
  // deno-lint-ignore no-control-regex
  assert.ok(!/[\x00-\x09\x0b-\x1f\x7f]/.test(rendered(file, { PASSWORD: "" })));
});
