/** `sparkngin log dump`: what stands in the files of the log, one thing a line, for people or as JSON. */
import { dump, type Found, survey } from "../log/mod.ts";
import { formatter } from "../message/format.ts";
import type { Message } from "../message/message.ts";
import { decodeEntry } from "../message/wire.ts";
import { dataDirectory, type DirectoryRequest, withDirectory } from "./directory.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { rangeOf, type RangeRequest } from "./range.ts";
import { renderMessage } from "./tail.ts";
import type { Terminal } from "./terminal.ts";

export interface DumpRequest extends DirectoryRequest, RangeRequest {
  /** Leaves the messages out. */
  readonly headers?: boolean;
}

export async function dumpLog(
  terminal: Terminal,
  named: string | undefined,
  request: DumpRequest,
): Promise<ExitCode> {
  const dir = await dataDirectory(terminal, named, request);
  const { files, clock } = terminal.world("read");
  await withDirectory(files, dir, () => {
    const seen = survey(files, dir);
    const writer = new DumpWriter(terminal, seen.node ?? "", request);
    for (const found of dump(seen, rangeOf(request, seen, clock))) writer.write(found);
  });
  return exitCodes.ok;
}

class DumpWriter {
  readonly #terminal: Terminal;
  readonly #node: string;
  readonly #request: DumpRequest;
  readonly #format = formatter("json");

  constructor(terminal: Terminal, node: string, request: DumpRequest) {
    this.#terminal = terminal;
    this.#node = node;
    this.#request = request;
  }

  write(found: Found): void {
    this.#say(factsOf(found), found.kind === "entry" ? 2 : found.kind === "segment" ? 0 : 1);
    if (found.kind === "entry" && found.bytes !== undefined && !this.#request.headers) {
      this.#messages(found, found.bytes);
    }
  }

  #messages({ position, epoch }: Found & { kind: "entry" }, bytes: Uint8Array): void {
    let messages: Message[];
    try {
      messages = decodeEntry(bytes);
    } catch (problem) {
      return this.#say({ kind: "flaw", text: problem instanceof Error ? problem.message : String(problem) }, 3);
    }
    messages.forEach((message, i) => {
      const id = message.id ?? `${this.#node}-${epoch}-${position + i}`;
      const line = new TextDecoder().decode(this.#format(message, id));
      const json = `{"kind":"message","position":${position + i},"message":${line}}`;
      const text = `      ${position + i} ${renderMessage(line)}`;
      this.#terminal.out(`${this.#request.json ? printableJson(json) : text}\n`);
    });
  }

  #say(facts: Facts, depth: number): void {
    const { kind, ...rest } = facts;
    const words = Object.entries(rest).filter(([, value]) => value !== undefined).map(([name, value]) =>
      `${name} ${value}`
    );
    const text = `${"  ".repeat(depth)}${kind} ${words.join(", ")}`;
    this.#terminal.out(`${this.#request.json ? printableJson(JSON.stringify(facts)) : printable(text)}\n`);
  }
}

interface Facts {
  readonly kind: string;
  readonly [name: string]: string | number | boolean | undefined;
}

function factsOf(found: Found): Facts {
  if (found.kind === "segment") {
    const { name, base, bytes, header, seal } = found.segment;
    const { epoch, sequence, created, previous } = header ?? {};
    return {
      kind: "segment",
      name,
      base,
      bytes,
      head: header ? "right" : "damaged",
      epoch,
      sequence,
      created: created === undefined ? undefined : new Date(created).toISOString(),
      previous: previous?.segment,
      sealed_at: seal?.length,
    };
  }
  if (found.kind === "commit") {
    const { offset, next, header: { first, count, time, epoch, flags, crc } } = found.commit;
    const checksum = crc.toString(16).padStart(8, "0");
    const at = new Date(time).toISOString();
    return {
      kind: "commit",
      byte: offset,
      bytes: next - offset,
      first,
      messages: count,
      time: at,
      epoch,
      flags,
      checksum,
    };
  }
  if (found.kind === "entry") {
    const { position, count, bytes } = found;
    return {
      kind: "entry",
      first: position,
      messages: count,
      bytes: bytes?.length,
      readable: bytes ? undefined : false,
    };
  }
  return { kind: found.kind, byte: found.from, bytes: found.to - found.from };
}
