import assert from "node:assert/strict";
import { CommandError, exitCodes } from "../../src/cli/exit.ts";
import { cannotWrite, inOurWords, reasonNotToWrite } from "../../src/cli/unwritable.ts";
import { openSink } from "../../src/cli/sink.ts";
import { realWorld } from "../../src/os/deno.ts";
import type { Files, World } from "../../src/os/world.ts";
import { sparkngin, terminalOf } from "./terminal.ts";

const withCode = (code: string) => Object.assign(new Error(`the system's words for ${code}`), { code });

function refused(code: number, what: RegExp) {
  return (problem: unknown) => {
    assert.ok(problem instanceof CommandError, String(problem));
    assert.match(problem.sentences.join("\n"), what);
    assert.equal(problem.code, code);
    return true;
  };
}

Deno.test("why a file cannot be written is said in our words, with what to do and an exit code", () => {
  const told: [string, number, RegExp][] = [
    [
      "EEXIST",
      exitCodes.notWritable,
      /: it is there already, and nothing is written over: name another, or remove it$/,
    ],
    ["ENOENT", exitCodes.notWritable, /: there is no directory a\/b: make it, or name another place$/],
    ["EISDIR", exitCodes.notWritable, /: it is a directory: name a file in it$/],
    ["ENOTDIR", exitCodes.notWritable, /: a\/b is no directory: /],
    ["EROFS", exitCodes.notWritable, /: the file system is only read: /],
    ["EACCES", exitCodes.permission, /: permission denied: look at the owner and the rights of a\/b/],
    ["ENOSPC", exitCodes.diskFull, /: the disk is full, or a quota is used up: make room/],
    ["EDQUOT", exitCodes.diskFull, /: the disk is full, or a quota is used up: make room/],
    ["EIO", exitCodes.logStopped, /: the disk fails/],
    ["EMFILE", exitCodes.notWritable, /: the system says EMFILE$/],
  ];
  for (const [code, exit, expected] of told) {
    const explained = cannotWrite("a/b/c\x1b", withCode(code));
    refused(exit, expected)(explained);
    refused(exit, /^Cannot write a\/b\/c\\x1b: /)(explained);
  }
});

Deno.test("what is no trouble of the system stays what it is", () => {
  const ours = new CommandError(exitCodes.usage, "x");
  const mistake = new TypeError("y");
  assert.equal(cannotWrite("a", ours), ours);
  assert.equal(cannotWrite("a", mistake), mistake);
  assert.equal(reasonNotToWrite("a", withCode("DirectoryBusy")), undefined);
});

// A lock is held until the process ends.
Deno.test("what is wrong in a data directory is said in our words by log repair and log adopt", {
  sanitizeResources: false,
}, async () => {
  const home = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  try {
    const world = realWorld();
    await Deno.writeTextFile(`${home}/file`, "x");
    // Where even root may not: a file is in the place of a directory.
    await Deno.mkdir(`${home}/data`);
    await Deno.writeTextFile(`${home}/data/log`, "x");
    await Deno.mkdir(`${home}/other/log`, { recursive: true });
    const ours = { "./sparkngin.toml": '[[destination]]\nname = "a"\nkind = "file"\n' };
    const tried: [readonly string[], RegExp][] = [
      [
        ["log", "repair", `${home}/data`, "--yes"],
        /^Cannot work on "\S+\/data": a file is where a directory should be/,
      ],
      [
        ["log", "adopt", `${home}/data`, "--data", `${home}/file`],
        /^Cannot work on "\S+\/file": a file is where a directory should be/,
      ],
      [
        ["log", "adopt", `${home}/other`, "--data", `${home}/file/d`],
        /^Cannot .*: a file is where a directory should be/,
      ],
    ];
    for (const [args, expected] of tried) {
      const { code, err } = await sparkngin(args, { world, files: ours });
      assert.match(err, expected);
      assert.doesNotMatch(err, /os error/);
      assert.equal(code, exitCodes.notWritable, args.join(" "));
    }
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("the system's sentence becomes ours, and what it was about stays", () => {
  const system = (code: string, text: string) => Object.assign(new Error(text), { code });
  assert.equal(
    inOurWords(system("ENOENT", "No such file or directory (os error 2): open 'd/node'")),
    "something in it is missing (open 'd/node')",
  );
  assert.equal(inOurWords(system("EIO", "Input/output error (os error 5)")), "the disk fails");
  assert.equal(inOurWords(system("EXDEV", "Invalid link (os error 18)")), "the system says EXDEV");
  assert.equal(inOurWords(new Error("Cannot open segment")), "Cannot open segment");
});

Deno.test("what could not be written to its end is removed, and said to be so", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  try {
    const real = realWorld();
    const full: Files = Object.assign(Object.create(real.files), {
      create(path: string) {
        const file = real.files.create(path);
        const write = (at: number, bytes: Uint8Array) => {
          if (at > 0) throw withCode("ENOSPC");
          file.write(at, bytes);
        };
        return Object.assign(Object.create(file), { write, close: () => file.close() });
      },
    });
    const world: World = { ...real, files: full };
    const sink = openSink(terminalOf({ world }), `${dir}/out`);
    sink.write(new Uint8Array(3));
    assert.throws(() => sink.write(new Uint8Array(3)), refused(exitCodes.diskFull, /out: the disk is full/));
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("init, key create, context add, send: each says why it cannot write where it was told to", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sparkngin-test-" });
  try {
    const world = realWorld();
    await Deno.writeTextFile(`${dir}/file`, "x");
    const tried: [readonly string[], RegExp][] = [
      [["init", `${dir}/file`], /^Cannot write \S+\/file: it is there already, and nothing is written over/],
      [["init", `${dir}/none/s.toml`], /^Cannot write \S+: there is no directory \S+\/none: make it/],
      [["init", `${dir}/file/s.toml`], /^Cannot write \S+: \S+\/file is no directory/],
      [["key", "create", "--name", "a", "--scope", "write", "--data", `${dir}/file/d`], /^Cannot keep keys in \S+: /],
    ];
    for (const [args, expected] of tried) {
      const { code, err } = await sparkngin(args, { world });
      assert.match(err, expected);
      assert.doesNotMatch(err, /os error/);
      assert.equal(code, exitCodes.notWritable, args.join(" "));
    }
    const env = { XDG_CONFIG_HOME: `${dir}/file` };
    const context = await sparkngin(["context", "add", "a", "--url", "http://127.0.0.1:8081"], { world, env });
    assert.match(context.err, /^Cannot write into \S+: /);
    assert.doesNotMatch(context.err, /os error/);
    const send = await sparkngin(["send", "--spool", `${dir}/file/spool`, "--topic", "t"], { world, stdin: ["a\n"] });
    assert.match(send.err, /^Cannot use the spool \S+: /);
    assert.doesNotMatch(send.err, /os error/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
