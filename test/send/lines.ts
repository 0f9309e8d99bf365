/** Lines for tests, and a server that answers as told. */
import type { Chunk, Line } from "../../src/send/chunk.ts";
import type { Reply } from "../../src/send/verdict.ts";

export function someLines(texts: readonly string[], source = "a.log"): Line[] {
  let end = 0;
  return texts.map((text, i) => {
    const bytes = new TextEncoder().encode(text);
    end += bytes.length + 1;
    return { source, number: i + 1, bytes, end };
  });
}

export function chunk(texts: readonly string[], kind: Chunk["kind"] = "ndjson", key = "k"): Chunk {
  return { key, kind, query: "topic=t", lines: someLines(texts) };
}

export function reply(status: number, problem: object = {}, retryAfter?: string): Reply {
  return { status, retryAfter, text: JSON.stringify(problem) };
}

export function textOf({ lines }: Pick<Chunk, "lines">): string[] {
  return lines.map(({ bytes }) => new TextDecoder().decode(bytes));
}
