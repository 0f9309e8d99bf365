import assert from "node:assert/strict";
import { renderConfig } from "../../src/cli/config_show.ts";
import { list, optional, secret, secretPath, text } from "../../src/config/options.ts";
import { readConfig } from "../../src/config/read.ts";
import { realWorld } from "../../src/os/deno.ts";
import { sparkngin } from "./terminal.ts";

const kinds = {
  web: { url: text("where"), password: secret(optional(text("of the user"))) },
  hook: { url: secretPath(text("where")) },
  nodes: { nodes: secretPath(list("where")) },
};

function rendered(file: string, env: Record<string, string> = {}): string {
  const reading = readConfig({
    files: [{ name: "sparkngin.toml", text: file }],
    env,
    flags: {},
    kinds,
    readFile: () => "",
  });
  if ("problems" in reading) assert.fail(reading.problems.join("\n"));
  return renderConfig({ ...reading, path: "sparkngin.toml", files: [], dir: undefined, kinds });
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

Deno.test("config prints where a URL leads, and neither its path nor its query: both may hold tokens", () => {
  const hook = (url: string) =>
    rendered(`[[destination]]\nname = "a"\nkind = "hook"\nurl = "${url}"\n`, { HOST: "h", REST: "hunter2" });
  const cases: [string, string][] = [
    ["https://hooks.example.com/services/T0/hunter2", "https://hooks.example.com/(secret)"],
    ["https://h:8443?sig=hunter2", "https://h:8443/(secret)"],
    ["https://h/", "https://h/"],
    ["https://h", "https://h"],
    ["https://${HOST}/in/hunter2", "https://${HOST}/(secret)"],
    ["https://${HOST}/${REST}", "https://${HOST}/${REST}"],
    ["${HOST}", "${HOST}"],
  ];
  for (const [written, shown] of cases) {
    assert.ok(hook(written).includes(`\nurl = ${JSON.stringify(shown)} `), hook(written));
  }

  const nodes = rendered('[[destination]]\nname = "a"\nkind = "nodes"\nnodes = ["https://a/hunter2", "https://b"]\n');
  assert.match(nodes, /^nodes = \["https:\/\/a\/\(secret\)", "https:\/\/b"\] /m);
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

Deno.test("M8.1 config show is config, with --origin or without", async () => {
  const given = { files: { "./sparkngin.toml": '[http]\nroot = "/sn"\n' } };
  const { out } = await sparkngin(["config"], given);
  assert.equal((await sparkngin(["config", "show"], given)).out, out);
  assert.equal((await sparkngin(["config", "show", "--origin"], given)).out, out);
  const flagged = await sparkngin(["config", "show", "--http-root", "/other"], given);
  assert.match(flagged.out, /^root = "\/other" +# --http-root$/m);
});

Deno.test("config show --json has every value and its origin, but no secret", async () => {
  const toml =
    '[[destination]]\nname = "bus"\nkind = "kafka"\nbrokers = ["k:9092"]\nusername = "${U}"\npassword = "hunter2"\n';
  const { code, out } = await sparkngin(["config", "--json"], {
    files: { "./sparkngin.toml": toml },
    env: { U: "hunter3" },
  });
  assert.equal(code, 0);
  const { file, values } = JSON.parse(out);
  assert.equal(file, "sparkngin.toml");
  assert.deepEqual(values["log.retain"], { value: "1d", origin: "default" });
  assert.deepEqual(values["destination.bus.brokers"], { value: ["k:9092"], origin: "sparkngin.toml:4" });
  assert.deepEqual(values["destination.bus.password"], { value: "(secret)", origin: "sparkngin.toml:6" });
  assert.ok(!out.includes("hunter"));
});

Deno.test("config sample and config schema are printed; init writes the sample once", async () => {
  const sample = await sparkngin(["config", "sample"]);
  assert.match(sample.out, /^#listen = "127\.0\.0\.1:8080"$/m);
  const schema = await sparkngin(["config", "schema"]);
  assert.equal(JSON.parse(schema.out).title, "sparkngin.toml");
  const path = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  try {
    const init = await sparkngin(["init", `${path}/s.toml`], { world: realWorld() });
    assert.deepEqual([init.code, init.out], [0, ""]);
    assert.match(
      init.err,
      /s\.toml is written: every key is in it, commented out\. Then: sparkngin check, sparkngin run\n$/,
    );
    assert.equal(await Deno.readTextFile(`${path}/s.toml`), sample.out);
    const again = await sparkngin(["init", `${path}/s.toml`], { world: realWorld() });
    assert.equal(again.code, 73);
    assert.match(
      again.err,
      /^Cannot write .*s\.toml: it is there already, and nothing is written over: name another, or remove it\n$/,
    );
    const nowhere = await sparkngin(["init", `${path}/no/s.toml`], { world: realWorld() });
    assert.match(nowhere.err, /s\.toml: there is no directory \S+\/no: make it, or name another place\n$/);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("M8.1 config import prints TOML, and says on standard error what is not in it", async () => {
  const files = { "nginx.conf": "user a\u001bb;\nhttp { sparkngin_zmq_x\u001b 1; sparkngin_listen 7000; }" };
  const { code, out, err } = await sparkngin(["config", "import", "nginx.conf"], { files });
  assert.equal(code, 0);
  assert.match(out, /^kind = "zeromq"$/m);
  assert.match(err, /^nginx\.conf: line 2: sparkngin_zmq_x.* has no counterpart here$/m);
  assert.ok(!(out + err).includes("\u001b"));
});

Deno.test("M8.1 config import says which line is wrong, or that there is no such file", async () => {
  const wrong = await sparkngin(["config", "import", "x"], { files: { x: "\nhttp {" } });
  assert.deepEqual([wrong.code, wrong.err], [65, 'Cannot import x: line 2: this block has no closing "}"\n']);
  const none = await sparkngin(["config", "import", "y"]);
  assert.deepEqual([none.code, none.err, none.out], [78, "Cannot read y: there is no such file\n", ""]);
});
