/** What a reader relies on when looking for something: which room may know which, and that nothing lies about unused. */
import assert from "node:assert/strict";

const root = new URL("../", import.meta.url).pathname;

interface Source {
  /** From the root of the project, e.g. "src/log/mod.ts". */
  readonly path: string;
  readonly text: string;
  /** Paths of the project's files it imports, and names of packages. */
  readonly imports: readonly string[];
}

const sources = [...readSources("src"), ...readSources("adaptors")];

/** A shell touches Deno, threads and signals; it says so in its first lines. */
const isShell = ({ text }: Source) => text.slice(0, 200).includes("[shell]");
const roomOf = (path: string) => path.startsWith("adaptors/") ? "adaptors" : path.split("/")[1]!;

/** Which rooms a room may know. Shells, `cli` and the composition in `main` may know all. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  os: [],
  config: ["config"],
  message: ["message", "config"],
  log: ["log", "os", "config"],
  access: ["access", "message", "os", "config"],
  zmtp: ["zmtp", "os", "config"],
  ingest: ["ingest", "access", "message", "log", "os", "config", "observe", "zmtp"],
  send: ["send", "os", "config"],
  deliver: ["deliver", "message", "log", "os", "config"],
  observe: ["observe", "log", "os", "config", "message"],
  adaptors: ["adaptors", "deliver", "message", "log", "os", "config", "zmtp"],
};

Deno.test("a room knows only the rooms that the design gives it", () => {
  const strays: string[] = [];
  for (const source of sources) {
    const allowed = arrows[roomOf(source.path)];
    if (!allowed || isShell(source)) continue;
    for (const other of source.imports.filter((path) => path.startsWith("src/") || path.startsWith("adaptors/"))) {
      const room = roomOf(other);
      if (room !== roomOf(source.path) && !allowed.includes(room)) strays.push(`${source.path} → ${other}`);
    }
  }
  assert.deepEqual(strays, []);
});

Deno.test("only what is about ZeroMQ knows its protocol", () => {
  const strays = sources.flatMap(({ path, imports }) =>
    path.startsWith("src/zmtp/") || /^(src\/ingest\/zeromq|adaptors\/zeromq\/)/.test(path)
      ? []
      : imports.filter((other) => other.startsWith("src/zmtp/")).map((other) => `${path} → ${other}`)
  );
  assert.deepEqual(strays, []);
});

Deno.test("other rooms come to the log by its door", () => {
  const strays = sources.flatMap(({ path, imports }) =>
    roomOf(path) === "log" ? [] : imports
      .filter((other) => other.startsWith("src/log/") && other !== "src/log/mod.ts")
      .map((other) => `${path} → ${other}`)
  );
  assert.deepEqual(strays, []);
});

Deno.test("only os/ and the shells say Deno., ask for the time or for chance, or set timers", () => {
  const outside = /\bDeno\.|\bDate\.now\(|\bMath\.random\(|\bsetTimeout\(|\bsetInterval\(/;
  const strays = sources
    .filter((source) => roomOf(source.path) !== "os" && roomOf(source.path) !== "cli" && !isShell(source))
    .filter((source) => roomOf(source.path) !== "adaptors" || source.path.startsWith("adaptors/file/"))
    .flatMap(({ path, text }) =>
      withoutComments(text).split("\n").flatMap((line, i) =>
        outside.test(line) ? [`${path}:${i + 1} ${line.trim()}`] : []
      )
    );
  assert.deepEqual(strays, []);
});

Deno.test("every file is used", () => {
  const entries = ["src/main.ts", "src/ingest/thread.ts", "src/deliver/worker.ts"];
  // What runs as WebAssembly stands beside its source, under the same name.
  const imports = sources.flatMap(({ imports }) => imports).map((path) => path.replace(/\.wasm$/, ".ts"));
  const used = new Set([...entries, ...imports]);
  assert.deepEqual(sources.map(({ path }) => path).filter((path) => !used.has(path)), []);
});

Deno.test("at the top stands what a reader expects there, and nothing that a trial has left", async () => {
  const rooms = ["src", "adaptors", "packaging", "man", "test", "docs", ".ci"];
  const files = ["README.md", "CHANGELOG.md", "GUARANTEES.md", "SECURITY.md", "LICENSE", "deno.json", "deno.lock"];
  // Without git, or as an archive without its history, there is nothing to say.
  const listed = await new Deno.Command("git", { args: ["ls-files"], cwd: root }).output().catch(() => undefined);
  const paths = new TextDecoder().decode(listed?.stdout).trim().split("\n");
  const tops = new Set(paths.map((path) => path.split("/")[0]!));
  assert.deepEqual([...tops].filter((top) => top !== "" && ![...rooms, ...files, ".gitignore"].includes(top)), []);
});

Deno.test("no file is called by what is no noun of the manual", () => {
  const names = sources.map(({ path }) => path).filter((path) =>
    /(^|\/)(utils?|helpers?|common|misc|types|manager|index)\.ts$/.test(path)
  );
  assert.deepEqual(names, []);
});

function readSources(dir: string): Source[] {
  return [...Deno.readDirSync(root + dir)].flatMap((entry) => {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory) return readSources(path);
    return path.endsWith(".ts") ? [readSource(path)] : [];
  });
}

function readSource(path: string): Source {
  const text = Deno.readTextFileSync(root + path);
  const named = [...text.matchAll(/(?:\bfrom\s+|\bimport\()"([^"\n]+)"|^import\s+"([^"]+)"/gm)].map((match) =>
    match[1] ?? match[2]!
  );
  const workers = [...text.matchAll(/new URL\("([^"]+\.ts)", import\.meta\.url\)/g)].map((match) => match[1]!);
  return {
    path,
    text,
    imports: [...named, ...workers].map((name) => name.startsWith(".") ? resolve(path, name) : name),
  };
}

function resolve(from: string, name: string): string {
  return new URL(name, `file:///${from}`).pathname.slice(1);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, "")).replace(/\/\/.*$/gm, "");
}

Deno.test("each guarantee has a row that names tests, and these name it", () => {
  const text = Deno.readTextFileSync(`${root}GUARANTEES.md`);
  const promised = [...text.matchAll(/^- \*\*P(\d+)\*\*/gm)].map(([, number]) => number!);
  assert.deepEqual(promised, promised.map((_, i) => String(i + 1)));
  for (const number of promised) {
    const row = new RegExp(`^\\| P${number} \\| (.*) \\|$`, "m").exec(text)?.[1] ??
      assert.fail(`P${number} has no row`);
    const files = [...row.matchAll(/\]\((test\/[^)]*)\)/g)].map(([, file]) => file!);
    assert.ok(files.length > 0, row);
    for (const file of files) {
      assert.match(
        Deno.readTextFileSync(root + file),
        new RegExp(`\\bP${number}\\b`),
        `${file} says nothing of P${number}`,
      );
    }
  }
});

Deno.test("each part of the product has a row that says how it stands", () => {
  const rows = Deno.readTextFileSync(`${root}docs/features.md`).split("\n").filter((line) => /^\| M\d/.test(line));
  for (const row of rows) assert.equal(row.split(/(?<!\\)\|/).length, 5, row);
  const parts: Record<number, number> = { 1: 11, 2: 4, 3: 5, 4: 16, 5: 5, 7: 5, 8: 6 };
  for (const [group, count] of Object.entries(parts)) {
    for (let part = 1; part <= count; part++) {
      assert.ok(rows.some((row) => row.startsWith(`| M${group}.${part} |`)), `M${group}.${part} has no row`);
    }
  }
});
