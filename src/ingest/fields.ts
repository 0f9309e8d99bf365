/** What every way in says about fields alike: names nobody may set, cookies, and refusals under the names that senders use. */
import { type Fields, outputNames, type Refusal, refusalOf } from "../message/message.ts";
import { badMessage, type Problem } from "./problem.ts";

/** Fields of a message that only we fill, with what to do instead. */
export const reservedNames: ReadonlyMap<string, string> = new Map([
  ["timestamp", 'is ours, set at arrival: send "submitted_timestamp"'],
  ["peer_ip", 'is ours, the address that we see: send "ip"'],
]);

const publicNames = new Map<string, string>(outputNames);

/** What is wrong with the fields, as a problem that names the field as senders do. */
export function problemOf(fields: Fields, line?: number): Problem | undefined {
  const refusal = refusalOf(fields);
  return refusal && refused(refusal, line);
}

function refused({ field, reason }: Refusal, line: number | undefined): Problem {
  const name = publicNames.get(field) ?? field;
  return badMessage(name, `Field "${name}" ${reason}`, line);
}

/** Whether the text is a JSON object of strings. */
export function isCookies(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    return Object.values(value).every((part) => typeof part === "string");
  } catch {
    return false;
  }
}
