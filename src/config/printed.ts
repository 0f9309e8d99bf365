/** What of a value of the configuration may be printed: in a terminal, a log, a status. Pure. */
import type { Option } from "./options.ts";

/** `value` as it was written or read, without what is secret in it. */
export function printed(
  { secret, secretPath }: Pick<Option<unknown>, "secret" | "secretPath">,
  value: unknown,
): unknown {
  if (secret) return "(secret)";
  if (!secretPath) return value;
  if (Array.isArray(value)) return value.map((one) => typeof one === "string" ? withoutPath(one) : one);
  return typeof value === "string" ? withoutPath(value) : value;
}

/** Slashes alone, and references to what is not written here, say nothing. */
function withoutPath(url: string): string {
  const [, where, behind] = /^((?:[^:/?#]*:\/\/)?(?:\$\{[^}]*\}|[^/?#])*)(.*)$/s.exec(url)!;
  const isSecret = /[^/]/.test(behind!.replaceAll(/\$\{[^}]*\}/g, ""));
  return withoutLogin(where!) + (isSecret ? "/(secret)" : behind);
}

/** Any text that may hold addresses, in quotes or bare: what stands before an @ may be a login. */
export function withoutLogin(text: string): string {
  return text.replaceAll(/:\/\/[^"]*@/g, "://…@").replaceAll(/(^|")(?![^"/]*:\/\/)[^\s@/:"]*:[^@"]*@/g, "$1…@");
}
