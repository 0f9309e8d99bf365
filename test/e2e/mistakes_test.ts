/** What it says to somebody tired who made a mistake: word for word, because each sentence has to say what to do. */
import assert from "node:assert";
import { explained } from "../../src/cli/claim.ts";
import { makeNewer } from "../log/newer.ts";
import { type Ended, makeTempDir, runCommand, type Setup, startNode, type TempDir } from "./node.ts";

const anyPorts = ["--http-listen", "127.0.0.1:0", "--management-listen", "127.0.0.1:0"];
const run = ["run", ...anyPorts];

/** Standard error, without the lines of the journal, and with DIR for the directory. */
async function said(args: readonly string[], setup: Setup & { readonly dir: string }): Promise<[number, string]> {
  const { code, stderr }: Ended = await runCommand(args, setup);
  const text = stderr.split("\n").filter((line) => !line.startsWith("{")).join("\n");
  return [code, text.replaceAll(setup.dir, "DIR").replaceAll(/process \d+ on \S+?(?=;| has)/g, "process N on HOST")];
}

async function inDir(act: (dir: TempDir) => Promise<void>): Promise<void> {
  await using dir = await makeTempDir();
  await act(dir);
}

const written: readonly [what: string, config: string, args: readonly string[], code: number, text: string][] = [
  [
    "a wrong key",
    '[http]\nlisen = "127.0.0.1:8080"\n',
    ["run"],
    78,
    'Cannot read sparkngin.toml: line 2: unknown key "lisen" in [http]; did you mean "listen"?\n',
  ],
  [
    "bad TOML",
    '[http]\nroot = "/sn\nlisten = "127.0.0.1:8080"\n',
    ["run"],
    78,
    "Cannot read sparkngin.toml: line 2, column 12: a text does not end in this line: is a quote missing?\n",
  ],
  [
    "an unknown kind of destination",
    '[[destination]]\nname = "bus"\nkind = "kakfa"\n',
    ["run"],
    78,
    'Cannot read sparkngin.toml: line 3: unknown kind "kakfa" in [[destination]] "bus"; did you mean "kafka"?\n',
  ],
  [
    "a reference to a file that is not there",
    '[[destination]]\nname = "bus"\nkind = "kafka"\nbrokers = ["k:9092"]\npassword = "${file:/no/such}"\n',
    ["run"],
    78,
    'Cannot read sparkngin.toml: line 5: "password" in [[destination]] "bus" cannot be filled in: the file "/no/such" ' +
    "cannot be read: there is no such file\n",
  ],
  [
    "an address that is open to everybody",
    '[http]\nlisten = "0.0.0.0:8080"\n',
    ["run"],
    78,
    'Cannot read sparkngin.toml: line 2: "listen" in [http] is "0.0.0.0:8080", which is beyond this machine: who reaches it ' +
    "can send messages. Write keys = true in [http] to ask for keys (sparkngin key create makes them). If everybody may, " +
    "write public = true in [http]; else listen on 127.0.0.1\n",
  ],
  [
    "a value of the wrong form",
    "",
    ["run", "--http-listen", "8080"],
    78,
    'Cannot read the command line: --http-listen is "8080"; expected an address and port such as "127.0.0.1:8080" or ' +
    '"[::1]:8080"\n',
  ],
  [
    "a configuration file that is not there",
    "",
    ["run", "--config", "other.toml"],
    78,
    "Cannot read other.toml: there is no such file; sparkngin init makes one\n",
  ],
  ["a wrong command", "", ["statsu"], 64, "Cannot do that: unknown command 'statsu' (did you mean status?)\n"],
  [
    "the tools for a log on a directory without one",
    "",
    ["log", "verify", "nowhere"],
    64,
    'Cannot look at "nowhere": there is no log in it; name the data directory of a node\n',
  ],
];

for (const [what, config, args, code, text] of written) {
  Deno.test(`M8.1 mistake: ${what}`, () =>
    inDir(async ({ path }) => {
      assert.deepStrictEqual(await said(args, { dir: path, config }), [code, text]);
    }));
}

Deno.test("M8.1 mistake: a variable of the environment that is no key", () =>
  inDir(async ({ path: dir }) => {
    assert.deepStrictEqual(await said(["check"], { dir, env: { SPARKNGIN_HTTP_LISTEN: "x" } }), [
      78,
      'Cannot read the environment: unknown variable "SPARKNGIN_HTTP_LISTEN"; did you mean "SPARKNGIN_HTTP__LISTEN"?\n',
    ]);
  }));

Deno.test("M8.1 mistake: a wrong broker", () =>
  inDir(async ({ path: dir }) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    listener.close();
    const broker = `127.0.0.1:${listener.addr.port}`;
    const config = `[[destination]]\nname = "bus"\nkind = "kafka"\nbrokers = ["${broker}"]\n`;
    const { code, stdout } = await runCommand(["check", "--connect"], { dir, config });
    assert.deepStrictEqual([code, stdout.split("\n").at(-2)], [
      69,
      `bus: Cannot connect to Kafka: cannot reach any of ${broker}: connect ECONNREFUSED ${broker}; nothing listens there: ` +
      "does it run, and is the address right?",
    ]);
  }));

Deno.test("M8.1 mistake: a port that another program has", () =>
  inDir(async ({ path: dir }) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${listener.addr.port}`;
    const anyData = (data: string) => ["--data", data];
    assert.deepStrictEqual(await said([...run, "--http-listen", address, ...anyData("a")], { dir }), [
      71,
      `Cannot listen on ${address}: something else listens there; choose another with http.listen\n`,
    ]);
    assert.deepStrictEqual(await said([...run, "--management-listen", address, ...anyData("b")], { dir }), [
      71,
      `Cannot listen on ${address} for management: something else listens there; choose another with management.listen\n`,
    ]);
  }));

Deno.test("M8.1 mistake: a directory that another process has", () =>
  inDir(async ({ path: dir }) => {
    await using node = await startNode({ dir });
    assert.deepStrictEqual(await said(run, { dir }), [
      75,
      'Cannot use directory "./data": process N on HOST has it; stop that one, or give this one a directory of its own with ' +
      "--data\n",
    ]);
    assert.strictEqual(await node.stop(), 0);
  }));

Deno.test("M8.1 mistake: a data directory that cannot be written to", () =>
  inDir(async ({ path: dir }) => {
    // Where even root may not: a file is in its place.
    await Deno.writeTextFile(`${dir}/file`, "");
    const [code, text] = await said([...run, "--data", "file/data"], { dir });
    assert.strictEqual(code, 73);
    assert.match(
      text,
      /^Cannot write to directory "file\/data": a file is where a directory should be \(.*\); choose another directory with --data\n$/,
    );
    assert.doesNotMatch(text, /os error/);
  }));

Deno.test("M8.1 mistake: a server that does not run", () =>
  inDir(async ({ path: dir }) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    listener.close();
    const url = `http://127.0.0.1:${listener.addr.port}`;
    assert.deepStrictEqual(await said(["status", "--url", url], { dir }), [
      69,
      `Cannot reach ${url}: nothing listens there; is sparkngin running?\n`,
    ]);
  }));

Deno.test("P18 M8.1 mistake: a directory that a later version wrote", () =>
  inDir(async ({ path: dir }) => {
    const node = await startNode({ dir });
    await fetch(`http://${node.http}/log?topic=t&n=1`);
    assert.strictEqual(await node.stop(), 0);
    await node[Symbol.asyncDispose]();
    const name = await makeNewer(`${dir}/data/log`);
    assert.deepStrictEqual(await said(run, { dir }), [
      65,
      `Cannot open segment "${name}": a later version of sparkngin wrote it; drain the log with that one\n`,
    ]);
  }));

Deno.test("M8.1 mistake: a disk that is full at the start", () => {
  const { code, sentences } = explained(Object.assign(new Error("x"), { code: "ENOSPC" }), "data");
  assert.deepStrictEqual([code, sentences], [
    74,
    ['Cannot start in "data": the disk is full; make room, or choose another directory with --data'],
  ]);
});
