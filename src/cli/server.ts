/** [shell] Asking a running Sparkngin at its management address. */
import { withoutLogin } from "../config/printed.ts";
import { codeOf } from "../os/world.ts";
import type { Context } from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Answer, Terminal } from "./terminal.ts";

export const usualUrl = "http://127.0.0.1:8081";
export const usualIntakeUrl = "http://127.0.0.1:8080";

/** Where `path` is on the server named on the command line, else in the environment, else the usual one. */
export function serverUrl(terminal: Terminal, named: string | undefined, path: string): URL {
  const { context, env } = terminal;
  const given = named ?? (context ? placeIn(context, "url") : env.SPARKNGIN_URL || usualUrl);
  return pathOn(given, path, usualUrl);
}

/**
 * The key to show where no file with one is named. That in the environment is for a server that was named by its address: a context's
 * server gets the context's key, or none, for which context is selected is easily forgotten.
 */
export function keyToShow({ context, env }: Pick<Terminal, "context" | "env">): string | undefined {
  const key = context === undefined ? env.SPARKNGIN_KEY : context.key;
  return key?.trim() || undefined;
}

/** As the end of a sentence about a key that was refused: where it comes from. */
export function sourceOfKey({ context }: Pick<Terminal, "context">): string {
  if (context === undefined) return "the key is taken from SPARKNGIN_KEY";
  const { name, key } = context;
  return key === undefined
    ? `the context "${name}" has no key_file, and SPARKNGIN_KEY goes to no context's server`
    : `the key is that of the context "${name}"`;
}

/** Where messages go: the intake's address, which may have a root behind it, or the endpoint itself. */
export function intakeUrl({ env, context }: Terminal, named: string | undefined): URL {
  const given = named ??
    (context ? placeIn(context, "send_url") : env.SPARKNGIN_SEND_URL || env.SPARKNGIN_URL || usualIntakeUrl);
  return pathOn(given.replace(/\/log\/*$/, ""), "log", usualIntakeUrl);
}

function placeIn({ name, url, sendUrl }: Context, key: "url" | "send_url"): string {
  const place = key === "url" ? url : sendUrl;
  if (place !== undefined) return place;
  const sentence = `Cannot use the context "${name}": it has no ${key}, which this command needs`;
  throw new CommandError(exitCodes.usage, sentence);
}

function pathOn(given: string, path: string, example: string): URL {
  const base = (given.includes("://") ? given : `http://${given}`).replace(/\/+$/, "");
  if (!/^https?:\/\//.test(base) || !URL.canParse(`${base}/${path}`)) {
    throw new CommandError(
      exitCodes.usage,
      `Cannot use the address "${printable(withoutLogin(given))}": write it like ${example}`,
    );
  }
  return new URL(`${base}/${path}`);
}

/** As it may be shown: without a login and a query. */
export function placeOf({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** The answer, when it is a 200; throws a `CommandError` when there is none. */
export async function ask(terminal: Terminal, url: URL, signal?: AbortSignal): Promise<Answer> {
  const answer = await reach(url, () => terminal.get(url, signal));
  if (answer.status === 200) return answer;
  const text = await readAll(answer);
  if (answer.status === 401 || answer.status === 403) throw refusedKey(terminal, url, detailOf(text));
  const reason = printable(text.slice(0, 200).trim());
  throw new CommandError(exitCodes.unreachable, `Cannot ask ${placeOf(url)}: it answered ${answer.status} ${reason}`);
}

/** The answer to a POST of `json`, when it is a 200; what the server refuses with a reason becomes a `CommandError`. */
export async function tell(terminal: Terminal, url: URL, json: object, signal?: AbortSignal): Promise<string> {
  const answer = await reach(url, () => terminal.post(url, JSON.stringify(json), signal));
  const text = await readAll(answer);
  if (answer.status === 200) return text;
  const detail = detailOf(text);
  if (answer.status === 401 || answer.status === 403) throw refusedKey(terminal, url, detail);
  if (detail !== undefined && answer.status < 500) throw new CommandError(exitCodes.usage, printable(detail));
  const reason = printable((detail ?? text).slice(0, 200).trim());
  throw new CommandError(exitCodes.unreachable, `Cannot tell ${placeOf(url)}: it answered ${answer.status} ${reason}`);
}

function refusedKey(terminal: Terminal, url: URL, detail = "it refused"): CommandError {
  const sentence = `Cannot ask ${url.origin}: ${printable(detail)}; ${sourceOfKey(terminal)}`;
  return new CommandError(exitCodes.permission, sentence);
}

/** The sentence in a problem of RFC 9457. */
function detailOf(text: string): string | undefined {
  try {
    const { detail } = JSON.parse(text);
    return typeof detail === "string" ? detail : undefined;
  } catch {
    return undefined;
  }
}

async function reach(url: URL, get: () => Promise<Answer>): Promise<Answer> {
  try {
    return await get();
  } catch (problem) {
    throw new CommandError(exitCodes.unreachable, `Cannot reach ${url.origin}: ${whyNot(problem)}`, { cause: problem });
  }
}

export function whyNot(problem: unknown): string {
  const code = codeOf(problem);
  if (code === "ECONNREFUSED") return "nothing listens there; is sparkngin running?";
  if (code === "ENOTFOUND") return "there is no such host";
  if (code === "ABORT_ERR" || code === "ETIMEDOUT") return "no answer in time";
  return printable(problem instanceof Error ? problem.message : String(problem));
}

export async function readAll({ body }: Answer): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** The lines of the answer as they come, without their ends and without empty ones. */
export async function* readLines({ body }: Answer): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  for await (const chunk of body) {
    const pieces = decoder.decode(chunk, { stream: true }).split("\n");
    parts.push(pieces.shift()!);
    for (const piece of pieces) {
      const line = parts.join("");
      parts = [piece];
      if (line !== "") yield line;
    }
  }
  const rest = parts.join("") + decoder.decode();
  if (rest !== "") yield rest;
}
