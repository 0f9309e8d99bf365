/** `sparkngin key ls`. */
import type { Key } from "../access/key.ts";
import { inColumns } from "./columns.ts";
import { type ExitCode, exitCodes } from "./exit.ts";
import { type KeyRequest, readKeys } from "./key_store.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

export async function listKeys(terminal: Terminal, request: KeyRequest): Promise<ExitCode> {
  const keys = await readKeys(terminal, request);
  if (request.json) terminal.out(`${JSON.stringify(keys.map(({ digest: _, ...facts }) => facts))}\n`);
  else if (keys.length === 0) terminal.err("There are no keys yet: sparkngin key create makes one.\n");
  else {terminal.out(
      inColumns([heads, ...keys.map(rowOf)], heads.length).map((line) => `${printable(line)}\n`).join(""),
    );}
  return exitCodes.ok;
}

const heads = ["id", "name", "scopes", "ack", "rate", "quota", "created"];

function rowOf({ id, name, scopes, ack, rate, quota, created }: Key): string[] {
  const limits = [rate === undefined ? "-" : `${rate}/s`, quota === undefined ? "-" : `${quota}/day`];
  return [
    id,
    name,
    scopes.join(" "),
    ack?.join(",") ?? "-",
    ...limits,
    new Date(created).toISOString().slice(0, 19) + "Z",
  ];
}
