/** What a node was given during an examination: numbered messages, all of which it accepted. */
import assert from "node:assert/strict";
import type { Host } from "./fault_host.ts";
import { readOutput } from "./output.ts";
import { eventually } from "./waiting.ts";

export class Sender {
  readonly #host: Host;
  readonly #perStep: number;
  readonly payloads: string[] = [];

  constructor(host: Host, perStep: number) {
    this.#host = host;
    this.#perStep = perStep;
  }
  get sent(): number {
    return this.payloads.length;
  }
  /** `sizes`: of what fills the messages up. */
  async send(sizes: readonly number[] = Array(this.#perStep).fill(40)): Promise<void> {
    const payloads = sizes.map((size, at) => `{"n":${this.sent + at},"fill":"${"x".repeat(size)}"}`);
    const headers = { "content-type": "application/x-ndjson" };
    const body = payloads.map((payload) => `{"topic":"t","data":${payload}}\n`).join("");
    const response = await fetch(`http://${this.#host.node.http}/log`, { method: "POST", headers, body });
    assert.equal(response.status, 204, await response.text());
    this.payloads.push(...payloads);
  }
  /** To the file beside the destination that is examined. */
  async arrivedNear(): Promise<void> {
    await eventually(
      "everything in the file",
      async () => (await readOutput(`${this.#host.dir}/near`, "t")).length === this.sent,
    );
  }
}
