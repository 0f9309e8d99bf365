/** `sparkngin tail`: messages as they come in, a line each, for people or as JSON. */
import { filterNames } from "../message/filter.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import { ask, readLines, serverUrl } from "./server.ts";
import type { Terminal } from "./terminal.ts";

export interface TailRequest {
  readonly url?: string;
  readonly topic?: string;
  readonly env?: string;
  readonly level?: string;
  readonly type?: string;
  readonly json?: boolean;
}

/** Goes on until the server or the user ends it. */
export async function tail(terminal: Terminal, { url, json, ...filter }: TailRequest): Promise<ExitCode> {
  const where = serverUrl(terminal, url, "tail");
  for (const name of filterNames) if (filter[name] !== undefined) where.searchParams.set(name, filter[name]);
  const answer = await ask(terminal, where);
  try {
    for await (const line of readLines(answer)) {
      const lost = lostIn(line);
      if (lost !== undefined) terminal.err(`${lost} messages are not shown: they came faster than they were read\n`);
      else terminal.out(`${json ? printableJson(line) : renderMessage(line)}\n`);
    }
  } catch (problem) {
    throw new CommandError(exitCodes.unreachable, `Lost ${where.origin}: the connection broke`, { cause: problem });
  }
  throw new CommandError(exitCodes.unreachable, `Lost ${where.origin}: it has ended the tail`);
}

function lostIn(line: string): number | undefined {
  const match = /^\{"lost":(\d+)\}$/.exec(line);
  return match ? Number(match[1]) : undefined;
}

const shownFields = ["env", "version", "type", "level", "ip"] as const;

/** Time, topic, the usual fields, the payload. */
export function renderMessage(line: string): string {
  const message = parseMessage(line);
  if (message === undefined) return printable(line);
  const { timestamp, topic } = message;
  const time = typeof timestamp === "number" ? new Date(timestamp).toISOString() : "-";
  const fields = shownFields.filter((name) => message[name] !== undefined).map((name) => `${name}=${message[name]}`);
  return printable([time, topic ?? "-", ...fields, payload(message)].join(" "));
}

function payload({ data, data_base64 }: Readonly<Record<string, unknown>>): string {
  if (typeof data_base64 !== "string") return data === undefined ? "" : JSON.stringify(data);
  try {
    const bytes = Uint8Array.from(atob(data_base64), (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return `base64:${data_base64}`;
  }
}

type Reviver = (key: string, value: unknown, context: { source: string }) => unknown;

function parseMessage(line: string): Record<string, unknown> | undefined {
  try {
    const message = JSON.parse(line, keepNumbers as (key: string, value: unknown) => unknown);
    return typeof message === "object" && message !== null && !Array.isArray(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Numbers as they were sent: 64 bits do not fit into ours, and a tail that shows other digits misleads. */
const keepNumbers: Reviver = (key, value, { source }) => {
  if (typeof value !== "number" || key === "timestamp") return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source);
};
