/** What the file destination has written: messages in the order of its files. */

import { eventually } from "./waiting.ts";

/** One line of a file, and where its payload stands in it as it was received. */
export interface Written {
  readonly topic: string;
  readonly id: string;
  readonly line: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The text of the payload, verbatim. */
  readonly data: string | undefined;
}

/** The files of a topic, oldest first, with those still open if asked for. */
export async function outputFiles(dir: string, topic: string, suffixes: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const day of entries(`${dir}/${topic}`)) {
    for await (const name of entries(day)) if (suffixes.some((suffix) => name.endsWith(suffix))) found.push(name);
  }
  return found.sort();
}

/** Every whole line of a topic in `data/out` or another directory of a file destination. */
export async function readOutput(dir: string, topic: string): Promise<Written[]> {
  const files = await outputFiles(dir, topic, [".ndjson", ".ndjson.open"]);
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(file).catch(() => "")));
  return texts.flatMap((text) => text.slice(0, text.lastIndexOf("\n") + 1).split("\n").slice(0, -1).map(parseLine));
}

/** The same, once there are `count` of them. */
export function arrived(dir: string, topic: string, count = 1): Promise<Written[]> {
  return eventually(`${count} messages in ${dir}/${topic}`, async () => {
    const all = await readOutput(dir, topic);
    return all.length >= count && all;
  });
}

export function parseLine(line: string): Written {
  const fields = JSON.parse(line) as Record<string, unknown>;
  // The payload comes last, and quotes inside fields are escaped, so this is where it begins.
  const at = line.indexOf(',"data":');
  const data = at < 0 ? undefined : line.slice(at + 8, -1);
  return { topic: String(fields.topic), id: String(fields.id), line, fields, data };
}

async function* entries(dir: string): AsyncGenerator<string> {
  try {
    for await (const { name } of Deno.readDir(dir)) yield `${dir}/${name}`;
  } catch (problem) {
    if (!(problem instanceof Deno.errors.NotFound)) throw problem;
  }
}
