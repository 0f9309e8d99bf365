/** `sparkngin key create`: the key alone on standard output, so that it can be caught; the rest is talk. */
import { randomBytes } from "node:crypto";
import { type KeyWish, type NewKey, newKey } from "../access/key.ts";
import { CommandError, type ExitCode, exitCodes } from "./exit.ts";
import { changeKeys, type KeyRequest } from "./key_store.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

export interface CreateRequest extends KeyRequest {
  readonly name: string;
  readonly scope: readonly string[];
  readonly ack?: string;
  readonly rate?: string;
  readonly quota?: string;
  readonly pixel?: boolean;
}

export async function createKey(terminal: Terminal, request: CreateRequest): Promise<ExitCode> {
  let made: NewKey | undefined;
  const where = await changeKeys(terminal, request, (keys, { clock }) => {
    made = mint(request, clock.now());
    return [...keys, made.key];
  });
  const { key, shown } = made!;
  if (request.json) {
    const { digest: _, ...facts } = key;
    terminal.out(`${JSON.stringify({ ...facts, key: shown })}\n`);
  } else {
    terminal.out(`${shown}\n`);
    terminal.err(`${advice(made!)} It is ${where}.\n`);
  }
  return exitCodes.ok;
}

function mint(request: CreateRequest, now: number): NewKey {
  const { name, scope, ack, rate, quota, pixel } = request;
  const wish: KeyWish = {
    ...{ name, scopes: scopesIn(scope), pixel: pixel ?? false },
    ...(ack !== undefined && { ack: ack.split(",").map((level) => level.trim()) }),
    ...(rate !== undefined && { rate }),
    ...(quota !== undefined && { quota }),
  };
  try {
    return newKey(wish, { random: randomBytes, now });
  } catch (problem) {
    if (!(problem instanceof TypeError)) throw problem;
    throw new CommandError(exitCodes.usage, printable(`Cannot make a key: ${problem.message}`));
  }
}

/** "write:a,b" is short for "write:a" and "write:b". */
function scopesIn(written: readonly string[]): string[] {
  return written.flatMap((one) => {
    const [first, ...more] = one.split(",").map((part) => part.trim());
    const isWrite = first!.startsWith("write:");
    return [first!, ...more.map((part) => isWrite && !/^(?:read|admin|write\b)/.test(part) ? `write:${part}` : part)];
  });
}

function advice({ key: { id }, shown }: NewKey): string {
  if (shown === id) return `A public key for pages: send it as key_id=${id} in the query. ls shows it again.`;
  return `This is key ${id}. It is shown this once: keep it, and send it as "Authorization: Bearer KEY".`;
}
