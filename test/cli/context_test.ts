import assert from "node:assert/strict";
import { askingWord } from "../../src/cli/completion.ts";
import { contextKeys } from "../../src/cli/context_keys.ts";
import { realWorld } from "../../src/os/deno.ts";
import { fullStatus } from "../../src/observe/status.ts";
import { someFacts } from "../observe/facts.ts";
import { type Given, sparkngin, withCode } from "./terminal.ts";

const dir = "/home/me/.config/sparkngin/contexts";
const env = { HOME: "/home/me" };
const files = {
  [`${dir}/prod.toml`]: 'url = "https://prod:8081"\nsend_url = "https://prod/sn"\nkey_file = "prod.key"\n',
  [`${dir}/prod.key`]: " sng_prod\n",
  [`${dir}/lab.toml`]: 'url = "http://lab:8081/"\n',
  [`${dir}/selected`]: "lab\n",
};
const answers = { "/status": JSON.stringify(fullStatus(someFacts())) };

async function asked(args: readonly string[], more: Given = {}): Promise<string> {
  const { code, err, asked } = await sparkngin(args, { files, answers, ...more, env: { ...env, ...more.env } });
  return code === 0 ? asked[0]! : `${code} ${err}`;
}

Deno.test("M8.1 the server is the context's: the one named, else the environment's, else the selected one", async () => {
  assert.equal(await asked(["status"]), "http://lab:8081/status");
  assert.equal(await asked(["status", "--context", "prod"]), "https://prod:8081/status");
  assert.equal(await asked(["status"], { env: { SPARKNGIN_CONTEXT: "prod" } }), "https://prod:8081/status");
  assert.equal(await asked(["status"], { env: { XDG_CONFIG_HOME: "/elsewhere" } }), "http://127.0.0.1:8081/status");
});

Deno.test("M8.1 who says where the server is gets no context that was only selected, so no key goes astray", async () => {
  assert.equal(await asked(["status", "--url", "a:1"]), "http://a:1/status");
  const there = { env: { SPARKNGIN_URL: "b:2" } };
  assert.equal(await asked(["status"], there), "http://b:2/status");
  assert.equal(await asked(["status", "--context", "prod"], there), "https://prod:8081/status");
  assert.match(
    await asked(["status", "--url", "a:1", "--context", "prod"]),
    /^64 Cannot take both --url and --context/,
  );
});

Deno.test("M6 send goes to the context's intake address, with its key", async () => {
  const shown: (string | undefined)[] = [];
  const world = realWorld();
  const take = (url: URL, { headers }: { headers: Readonly<Record<string, string>> }) => {
    shown.push(url.href, headers.authorization);
    return { status: 204, headers: {}, text: "" };
  };
  const given = { files, world, take, stdin: ["a\n"], env: { ...env, SPARKNGIN_KEY: "sng_other" } };
  const { code, err } = await sparkngin(["send", "--topic", "t", "--context", "prod"], given);
  assert.deepEqual([code, shown], [0, ["https://prod/sn/log?topic=t", "Bearer sng_prod"]], err);
  const lab = await sparkngin(["send", "--topic", "t"], given);
  assert.deepEqual([lab.code, lab.err], [
    64,
    'Cannot use the context "lab": it has no send_url, which this command needs\n',
  ]);
});

Deno.test("M8.1 the key in the environment goes to no context's server, and a refusal says which key it was", async () => {
  const shown: (string | undefined)[] = [];
  const take = (_: URL, { headers }: { headers: Readonly<Record<string, string>> }) => {
    shown.push(headers.authorization);
    return { status: 401, headers: {}, text: JSON.stringify({ detail: "Show a key" }) };
  };
  const lab = { [`${dir}/lab.toml`]: 'url = "http://lab:8081/"\nsend_url = "http://lab"\n', "my.key": "sng_mine\n" };
  const given = {
    files: { ...files, ...lab },
    world: realWorld(),
    take,
    answers: { "/status": { status: 401, body: JSON.stringify({ detail: "Show a key" }) } },
    env: { ...env, SPARKNGIN_KEY: "sng_other" },
  };
  const ways: [args: string[], shown: string | undefined, said: string][] = [
    [
      [],
      undefined,
      'the context "lab" has no key_file, and SPARKNGIN_KEY goes to no context\'s server; --key-file names ',
    ],
    [["--context", "lab"], undefined, 'the context "lab" has no key_file'],
    [["--context", "prod"], "Bearer sng_prod", 'the key is that of the context "prod"; --key-file names another.'],
    [["--key-file", "my.key"], "Bearer sng_mine", "the key is that in my.key."],
    [["--url", "http://a"], "Bearer sng_other", "the key is taken from SPARKNGIN_KEY; --key-file names another."],
  ];
  for (const [args, key, said] of ways) {
    const { err } = await sparkngin(["send", "--topic", "t", ...args], { ...given, stdin: ["a\n"] });
    assert.deepEqual([shown.splice(0), err.includes(said)], [[key], true], err);
  }
  assert.equal(
    await asked(["status"], given),
    '77 Cannot ask http://lab:8081: Show a key; the context "lab" has no key_file, ' +
      "and SPARKNGIN_KEY goes to no context's server\n",
  );
});

Deno.test("M8.1 a context that is not there, or is damaged, is said with what to do", async () => {
  const cases: [args: string[], more: Record<string, string>, said: RegExp][] = [
    [
      ["--context", "x"],
      {},
      /^64 Cannot use the context "x": there are lab, prod; sparkngin context add x --url URL makes it\n$/,
    ],
    [["--context", "../x"], {}, /^64 Cannot use the name "\.\.\/x"/],
    [[], { "lab.toml": "url = \u001b" }, /^78 Cannot read .*lab\.toml: line 1: /],
    [[], { "lab.toml": 'ulr = "http://a"' }, /^78 .*"ulr" is no key of a context; there are url, send_url, /],
    [[], { "lab.toml": 'url = "http://me:hunter2@a"' }, /^78 .*"url" is wrong; expected a URL without a login/],
    [[], { "lab.toml": "" }, /^78 .*it needs url or send_url/],
    [[], { "lab.toml": 'url = "http://a"\ntls_ca = "ca"' }, /^78 .*begin with https/],
    [[], { "lab.toml": 'url = "http://a"\nkey_file = "no"' }, /^78 .*contexts\/no: there is no such file/],
    [[], { selected: "gone\n" }, /^64 Cannot use the context "gone"/],
    [[], { selected: "..\u001b/x" }, /^64 Cannot use the name/],
  ];
  for (const [args, more, said] of cases) {
    const others = Object.fromEntries(Object.entries(more).map(([name, text]) => [`${dir}/${name}`, text]));
    const found = await asked(["status", ...args], { files: { ...files, ...others } });
    assert.match(found, said);
    assert.ok(!found.includes("hunter2") && !found.includes("\u001b"), found);
  }
});

Deno.test("M8.1 a command that works on a directory, or asks nobody, wants no context", async () => {
  const broken = { files: { [`${dir}/selected`]: "gone\n" }, env };
  assert.equal((await sparkngin(["version"], broken)).code, 0);
  const { err } = await sparkngin(["destination", "ls", "--data", "/d"], { ...broken, world: realWorld() });
  assert.ok(!err.includes("context"), err);
});

Deno.test("M8.1 context ls shows them, with a star for the selected one", async () => {
  const { out } = await sparkngin(["context", "ls"], { files, env });
  assert.deepEqual(out.split("\n").map((line) => line.trimEnd()), [
    "   NAME  URL                SEND URL",
    "*  lab   http://lab:8081/   -",
    "   prod  https://prod:8081  https://prod/sn",
    "",
  ]);
  const [, prod] = JSON.parse((await sparkngin(["context", "ls", "--json"], { files, env })).out);
  assert.deepEqual([prod.name, prod.selected, prod.key_file], ["prod", false, "prod.key"]);
  assert.match((await sparkngin(["context", "ls"])).err, /^There are no contexts yet/);
});

Deno.test("M8.1 context ls shows the sound ones beside one that cannot be read, which it names with what to do", async () => {
  const more = {
    [`${dir}/bad.toml`]: "url = \u001b\n",
    [`${dir}/dir.toml`]: withCode("EISDIR", "Is a directory (os error 21)"),
  };
  const given = { files: { ...files, ...more }, env };
  const { code, out, err } = await sparkngin(["context", "ls"], given);
  assert.deepEqual([code, out.split("\n").map((line) => line.slice(3, 7))], [78, ["NAME", "lab ", "prod", ""]]);
  const [bad, directory, ...rest] = err.split("\n");
  assert.match(
    bad!,
    /^Cannot read .*\/bad\.toml: line 1: .*; mend it, or forget it with sparkngin context rm bad$/,
  );
  assert.match(directory!, /^Cannot read .*\/dir\.toml: it is a directory; mend it, /);
  assert.deepEqual(rest, [""]);
  const json = await sparkngin(["context", "ls", "--json"], given);
  assert.deepEqual([json.code, JSON.parse(json.out).map(({ name }: { name: string }) => name)], [78, ["lab", "prod"]]);
  const alone = await sparkngin(["context", "ls"], { files: { [`${dir}/bad.toml`]: "url" }, env });
  assert.deepEqual([alone.code, alone.out, alone.err.split("\n").length], [78, "", 2]);
});

Deno.test("M8.1 a context that may not be read is said so, without the system's own sentence", async () => {
  const closed = { [`${dir}/lab.toml`]: withCode("EACCES", "Permission denied (os error 13)") };
  assert.equal(
    await asked(["status"], { files: { ...files, ...closed } }),
    `77 Cannot read ${dir}/lab.toml: permission denied: look at its owner and rights\n`,
  );
});

Deno.test("M8.2 completion offers the names of contexts, and asks the one named for its destinations", async () => {
  const offered = async (line: string) =>
    (await sparkngin([askingWord, ...line.split(" ")], { files, env, answers })).out.split("\n").slice(0, -1);
  assert.deepEqual(await offered("status --context "), ["lab", "prod"]);
  assert.deepEqual(await offered("context select p"), ["prod"]);
  assert.deepEqual(await offered("destination pause --context prod "), ["bus", "out"]);
  assert.deepEqual(await offered("destination pause --context nowhere "), []);
});

Deno.test("M8.1 context add takes every key of a context", async () => {
  const { out } = await sparkngin(["context", "add", "--help"]);
  for (const key of Object.keys(contextKeys)) assert.ok(out.includes(`--${key.replaceAll("_", "-")} <`), key);
});
