/** A real named pipe, and what people let write into it. */
import assert from "node:assert/strict";
import { arrived } from "./output.ts";
import { makeTempDir, type Node, Running, startCommand, startNode } from "./node.ts";
import { eventually, within } from "./waiting.ts";

const hasNginx = await runs("nginx", "-v");

async function runs(command: string, ...args: string[]): Promise<boolean> {
  const ended = await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output().catch(() =>
    undefined
  );
  return ended?.success === true;
}

async function makePipe(dir: string): Promise<string> {
  assert.ok(await runs("mkfifo", `${dir}/in.pipe`));
  return `${dir}/in.pipe`;
}

const config = '[[pipe]]\npath = "in.pipe"\ntopic = "lines"\nenv = "test"\n';

async function write(pipe: string, bytes: string | Uint8Array): Promise<void> {
  const all = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  await using file = new AsyncFile(await Deno.open(pipe, { write: true }));
  await within("room in the pipe", file.writeAll(all));
}

class AsyncFile implements AsyncDisposable {
  readonly #file: Deno.FsFile;
  constructor(file: Deno.FsFile) {
    this.#file = file;
  }
  async writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
  }
}

async function texts(node: Node, count: number): Promise<string[]> {
  const lines = await arrived(`${node.dir}/data/out`, "lines", count);
  return lines.map(({ data, fields }) => data ?? atob(String(fields.data_base64)));
}

Deno.test("M6 what is written into a named pipe arrives; hostile bytes and an endless line cost nobody else anything", async () => {
  await using dir = await makeTempDir();
  const pipe = await makePipe(dir.path);
  await using node = await startNode({ dir: dir.path, config });
  await write(pipe, 'first\n{"topic":"lines","data":{"n":12345678901234567890}}\n');
  await write(pipe, Uint8Array.of(0, 255, 27, 91, 10));
  await write(pipe, new Uint8Array(3_000_000).fill(0x78));
  await write(pipe, `${"\n".repeat(1000)}{"topic":"../../x","data":1}\nlast\n`);
  assert.deepEqual(await texts(node, 5), [
    "first",
    '{"n":12345678901234567890}',
    "\0\xff\x1b[",
    '{"topic":"../../x","data":1}',
    "last",
  ]);
  await eventually("the counts", async () => {
    const { pipes } = await (await fetch(`http://${node.management}/status`)).json();
    assert.deepEqual(pipes, { accepted: 5, refused: 1, dropped: 0 });
    return true;
  });
  assert.equal((await fetch(`http://${node.http}/log?topic=lines`)).status, 204);
  assert.equal(await node.stop(), 0);
});

Deno.test("M6 after kill -9 the pipe is read again, and a writer that goes on is heard", async () => {
  await using dir = await makeTempDir();
  const pipe = await makePipe(dir.path);
  await using first = await startNode({ dir: dir.path, config });
  await write(pipe, "before\n");
  await texts(first, 1);
  // As nginx does: opened once, for as long as it runs.
  await using file = new AsyncFile(await Deno.open(pipe, { write: true }));
  first.kill("SIGKILL");
  await first.exited;
  await using second = await startNode({ dir: dir.path, config });
  await within("room in the pipe", file.writeAll(new TextEncoder().encode("after\n")));
  assert.ok((await texts(second, 2)).includes("after"));
  assert.equal(await second.stop(), 0);
});

Deno.test("M6 a stop ends while nobody writes, and what was written before it is taken", async () => {
  await using dir = await makeTempDir();
  const pipe = await makePipe(dir.path);
  await using node = await startNode({ dir: dir.path, config });
  await write(pipe, "whole\nwithout its end");
  await texts(node, 1);
  assert.equal(await node.stop(), 0);
  await using again = await startNode({ dir: dir.path, config });
  assert.deepEqual((await texts(again, 2)).sort(), ["whole", "without its end"]);
});

Deno.test("M6 a pipe that is not there is an error that says what to do", async () => {
  for (
    const [make, text] of [[undefined, /there is no such file; mkfifo makes it/], ["in.pipe", /it is no pipe/]] as const
  ) {
    await using dir = await makeTempDir();
    if (make !== undefined) await Deno.writeTextFile(`${dir.path}/${make}`, "");
    await using node = await startCommand(
      ["run", "--http-listen", "127.0.0.1:0", "--management-listen", "127.0.0.1:0"],
      {
        dir: dir.path,
        config,
      },
    );
    assert.equal(await within("the end", node.exited, () => node.stderr()), 71);
    assert.match(node.stderr(), text);
  }
});

Deno.test({
  name: `M6 nginx logs into the pipe, as text and as JSON${hasNginx ? "" : " (needs nginx)"}`,
  ignore: !hasNginx,
  async fn() {
    await using dir = await makeTempDir();
    const pipe = await makePipe(dir.path);
    await using node = await startNode({ dir: dir.path, config });
    const port = freePort();
    await Deno.writeTextFile(`${dir.path}/nginx.conf`, nginxConf(dir.path, pipe, port));
    const process = new Deno.Command("nginx", {
      args: ["-p", dir.path, "-c", `${dir.path}/nginx.conf`, "-e", `${dir.path}/error.log`],
      ...{ stdin: "null", stdout: "piped", stderr: "piped" },
    }).spawn();
    await using nginx = new Running(process, dir.path, undefined);
    const answer = await eventually("nginx", () => fetch(`http://127.0.0.1:${port}/page?a="b`));
    await answer.body?.cancel();
    const [text, json] = await texts(node, 2);
    assert.match(text!, /^127\.0\.0\.1 GET \/page\?a=/);
    assert.deepEqual(JSON.parse(json!), { uri: "/page", status: 404 });
    nginx.kill("SIGTERM");
    await within("the end of nginx", nginx.exited);
  },
});

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

function nginxConf(dir: string, pipe: string, port: number): string {
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${dir}/${name};`);
  return `daemon off; pid ${dir}/nginx.pid; events {}
http {
  ${temp.join(" ")}
  log_format text '$remote_addr $request';
  log_format json escape=json '{"topic":"lines","type":"access","data":{"uri":"$uri","status":$status}}';
  access_log ${pipe} text;
  access_log ${pipe} json;
  server { listen 127.0.0.1:${port}; location / { return 404; } }
}
`;
}
