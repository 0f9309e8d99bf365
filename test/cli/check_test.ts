import assert from "node:assert/strict";
import { exitCodes } from "../../src/cli/exit.ts";
import { realWorld } from "../../src/os/deno.ts";
import { sparkngin, withCode } from "./terminal.ts";

const good = '[http]\nroot = "/sn"\n[[destination]]\nname = "disk"\nkind = "file"\nfilter = { topic = "web.*" }\n';

Deno.test("M8.1 check without any configuration is ok and says what that comes to", async () => {
  const { code, out, err } = await sparkngin(["check"]);
  assert.deepEqual([code, err], [0, ""]);
  assert.equal(
    out,
    "ok: no configuration file, so everything is as by default\n" +
      "takes messages at http://127.0.0.1:8080/log\n" +
      "shows status and metrics at http://127.0.0.1:8081/\n" +
      "keeps its log in ./data\n" +
      'delivers to "out": file; confirmed; required; everything\n' +
      'delivers to "pub": zeromq; best effort; not required; everything\n',
  );
});

Deno.test("M1.10 check says where keys are asked for", async () => {
  const { out } = await sparkngin(["check", "--http-keys", "--management-keys"]);
  assert.match(out, /^takes messages at http:\/\/127\.0\.0\.1:8080\/log, from who shows a key$/m);
  assert.match(out, /^shows status and metrics at http:\/\/127\.0\.0\.1:8081\/, to who shows a key$/m);
});

Deno.test("check names the file, and what each destination gets", async () => {
  const { code, out } = await sparkngin(["check", "--config", "/etc/s.toml"], { files: { "/etc/s.toml": good } });
  assert.equal(code, 0);
  assert.match(out, /^ok: \/etc\/s\.toml\n/);
  assert.match(out, /http:\/\/127\.0\.0\.1:8080\/sn\/log/);
  assert.match(out, /delivers to "disk": file; confirmed; required; topic web\.\*/);
});

Deno.test("M4.16 check says which share of the messages a destination gets, and refuses what is none", async () => {
  const config = (sample: string) => ({
    "/s.toml": `[[destination]]\nname = "a"\nkind = "file"\nsample = ${sample}\n`,
  });
  const { out } = await sparkngin(["check", "--config", "/s.toml"], { files: config("0.1") });
  assert.match(out, /delivers to "a": file; confirmed; required; everything; a share of 0\.1 of that/);
  for (const bad of ["0", "1.5", "-1", '"a tenth"', "nan"]) {
    const { code, err } = await sparkngin(["check", "--config", "/s.toml"], { files: config(bad) });
    assert.equal(code, exitCodes.configuration);
    assert.match(err, /line 4: "sample" in \[\[destination\]\] "a" is .*; expected a share such as 0\.1: more than 0/);
  }
});

Deno.test("M8.1 check tells every problem on standard error and exits with 78", async () => {
  const files = { "./sparkngin.toml": '[http]\nlisen = 3\n[[destination]]\nname = "a"\nkind = "fiel"\n' };
  assert.deepEqual(await sparkngin(["check"], { files }), {
    code: exitCodes.configuration,
    out: "",
    err: 'Cannot read sparkngin.toml: line 2: unknown key "lisen" in [http]; did you mean "listen"?\n' +
      'Cannot read sparkngin.toml: line 5: unknown kind "fiel" in [[destination]] "a"; did you mean "file"?\n',
    asked: [],
  });
});

Deno.test("the options of an adaptor are checked, too", async () => {
  const files = {
    "./sparkngin.toml": '[[destination]]\nname = "bus"\nkind = "kafka"\nbrokers = ["k:9092"]\nbrokres = 1\n',
  };
  const { code, err } = await sparkngin(["check"], { files });
  assert.equal(code, exitCodes.configuration);
  assert.match(err, /line 5: unknown key "brokres" in \[\[destination\]\] "bus"; did you mean "brokers"\?/);
});

Deno.test("the file is the one named, else ./sparkngin.toml, else SPARKNGIN_CONFIG, else that of the system", async () => {
  const all = { "/named": good, "./sparkngin.toml": good, "/env": good, "/etc/sparkngin/sparkngin.toml": good };
  const env = { SPARKNGIN_CONFIG: "/env" };
  const first = async (args: string[], files: Record<string, string>, env = {}) =>
    (await sparkngin(["check", ...args], { files, env })).out.split("\n")[0];
  assert.equal(await first(["--config", "/named"], all, env), "ok: /named");
  assert.equal(await first([], all, env), "ok: sparkngin.toml");
  const { "./sparkngin.toml": _, ...elsewhere } = all;
  assert.equal(await first([], elsewhere, env), "ok: /env");
  assert.equal(await first([], elsewhere), "ok: /etc/sparkngin/sparkngin.toml");
});

Deno.test("a file that was named must be there", async () => {
  const missing = {
    code: exitCodes.configuration,
    out: "",
    err: "Cannot read /no: there is no such file; sparkngin init makes one\n",
    asked: [],
  };
  assert.deepEqual(await sparkngin(["check", "--config", "/no"]), missing);
  assert.deepEqual(await sparkngin(["check"], { env: { SPARKNGIN_CONFIG: "/no" } }), missing);
});

Deno.test("a file that may not be read is 77, another trouble with it 78", async () => {
  const files = { "/a": withCode("EACCES", "x"), "/b": withCode("EISDIR", "is a directory") };
  assert.deepEqual(await sparkngin(["check", "--config", "/a"], { files }), {
    code: exitCodes.permission,
    out: "",
    err: "Cannot read /a: permission denied\n",
    asked: [],
  });
  const { code, err } = await sparkngin(["check", "--config", "/b"], { files });
  assert.deepEqual([code, err], [exitCodes.configuration, "Cannot read /b: it is a directory\n"]);
});

Deno.test("flags reach the configuration", async () => {
  const { out } = await sparkngin([
    "check",
    "--http-root",
    "/x",
    "--data",
    "/d",
    "--http-public",
    "--http-listen=0.0.0.0:1",
  ]);
  assert.match(out, /http:\/\/0\.0\.0\.0:1\/x\/log/);
  assert.match(out, /keeps its log in \/d/);
  const { err } = await sparkngin(["check", "--log-retain", "soon"]);
  assert.match(err, /^Cannot read the command line: --log-retain is "soon"; expected a duration/);
});

Deno.test("M8.1 what stands in conf.d beside the file belongs to it, in the order of names", async () => {
  const files = {
    "./sparkngin.toml": "[http]\n",
    "conf.d/b.toml": '[[destination]]\nname = "second"\nkind = "file"\n',
    "conf.d/a.toml": '[[destination]]\nname = "first"\nkind = "file"\n',
    "conf.d/.hidden.toml": "=",
    "conf.d/notes.txt": "=",
  };
  const { code, out, err } = await sparkngin(["check"], { files });
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, /^delivers to "first": .*\ndelivers to "second": /m);
  const far = { "/etc/sparkngin/sparkngin.toml": "", "/etc/sparkngin/conf.d/x.toml": "[http]\nlisten = 3\nrot = 3\n" };
  assert.equal(
    (await sparkngin(["check"], { files: far })).err,
    'Cannot read /etc/sparkngin/conf.d/x.toml: line 3: unknown key "rot" in [http]; did you mean "root"?\n' +
      'Cannot read /etc/sparkngin/conf.d/x.toml: line 2: "listen" in [http] is 3; expected an address and port such as ' +
      '"127.0.0.1:8080" or "[::1]:8080"\n',
  );
});

Deno.test("conf.d without a file beside it is somebody else's", async () => {
  const { out } = await sparkngin(["check"], { files: { "conf.d/x.toml": "=" } });
  assert.match(out, /^ok: no configuration file/);
});

Deno.test("check --json tells what it found, or every problem", async () => {
  const fine = await sparkngin(["check", "--json"]);
  assert.equal(fine.code, 0);
  const found = JSON.parse(fine.out);
  assert.deepEqual([found.ok, found.file, found.summary.length], [true, null, 5]);
  const bad = await sparkngin(["check", "--json"], { files: { "./sparkngin.toml": "lisen = 3" } });
  assert.equal(bad.code, exitCodes.configuration);
  assert.deepEqual(JSON.parse(bad.out).problems.length, 1);
  assert.equal(JSON.parse(bad.out).ok, false);
});

Deno.test("M8.1 check --connect tries every destination, and changes nothing of a running server", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  try {
    await Deno.mkdir(`${dir}/out`);
    await Deno.writeTextFile(`${dir}/out/x.ndjson.open`, "{}\n");
    await Deno.writeTextFile(`${dir}/file`, "");
    // Nobody listens where a listener has just been.
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    listener.close();
    const files = {
      "./sparkngin.toml": `data = "${dir}"
[[destination]]
name = "disk"
kind = "file"
[[destination]]
name = "wrong"
kind = "file"
dir = "${dir}/file/below"
[[destination]]
name = "bus"
kind = "kafka"
brokers = ["127.0.0.1:${listener.addr.port}"]
timeout = "5s"
`,
    };
    const { code, out } = await sparkngin(["check", "--connect"], { files, world: realWorld() });
    assert.equal(code, exitCodes.unreachable);
    assert.match(out, /^disk: can be delivered to$/m);
    assert.match(out, /^wrong: Cannot write to directory ".*\/file\/below": .*; check its owner and rights$/m);
    assert.match(
      out,
      /^bus: Cannot connect to Kafka: .*; nothing listens there: does it run, and is the address right\?$/m,
    );
    assert.deepEqual([...Deno.readDirSync(`${dir}/out`)].map(({ name }) => name), ["x.ndjson.open"]);
    const { destinations, ok } = JSON.parse(
      (await sparkngin(["check", "--connect", "--json"], { files, world: realWorld() })).out,
    );
    assert.equal(ok, false);
    assert.deepEqual(destinations.map(({ problem }: { problem?: string }) => problem === undefined), [
      true,
      false,
      false,
    ]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
