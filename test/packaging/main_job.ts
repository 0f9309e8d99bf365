/** The main job, by whichever executable: a message in over HTTP, the same message out in a file, and an orderly end. */
import assert from "node:assert";
import { Node } from "../e2e/node.ts";
import { arrived } from "../e2e/output.ts";
import { hangMs } from "../e2e/waiting.ts";

export interface Run {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where its data are, as seen from here. */
  readonly data: string;
}

export const anyPorts = ["--http-listen", "127.0.0.1:0", "--management-listen", "127.0.0.1:0"];

/** Resolves when all of it was so. */
export async function doMainJob({ command, args, cwd, env, data }: Run): Promise<void> {
  const around = { ...(cwd && { cwd }), env: { ...env }, clearEnv: true } as const;
  const process = new Deno.Command(command, {
    args: [...args],
    ...around,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await using node = new Node(process, cwd ?? "/", undefined);
  // An emulated processor takes its time.
  await node.ready(5 * hangMs);
  const body = `{"topic":"parcel","data":{"name":"wörld","n":12345678901234567890}}`;
  const answer = await fetch(`http://${node.http}/log`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  await answer.body?.cancel();
  assert.equal(answer.status, 204, node.stderr());
  assert.equal(answer.headers.get("sparkngin-ack"), "disk");
  const written = (await arrived(`${data}/out`, "parcel")).at(-1)!;
  assert.equal(written.data, `{"name":"wörld","n":12345678901234567890}`);
  assert.equal(await node.stop(), 0, node.stderr());
}
