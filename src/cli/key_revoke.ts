/** `sparkngin key revoke`. */
import { keyIdForm } from "../access/key.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { changeKeys, type KeyRequest } from "./key_store.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

export async function revokeKey(terminal: Terminal, id: string, request: KeyRequest): Promise<ExitCode> {
  let name = "";
  await changeKeys(terminal, request, (keys) => {
    const key = keys.find((one) => one.id === id);
    if (key === undefined) throw noSuchKey(id);
    name = key.name;
    return keys.filter((one) => one !== key);
  });
  if (request.json) terminal.out(`${JSON.stringify({ id, name, revoked: true })}\n`);
  else terminal.out(printable(`${id} (${name}) is revoked`) + "\n");
  return exitCodes.ok;
}

/** Who gives the whole key by mistake does not want to see it again in a log. */
function noSuchKey(id: string): CommandError {
  const shown = keyIdForm.test(id) ? ` ${id}` : " of that id";
  return new CommandError(exitCodes.usage, `There is no key${shown}; sparkngin key ls prints the ids`);
}
