/** What comes with an order to the management address: a JSON object of known fields, or what is wrong with it. */
import { suggestion } from "../config/nearest.ts";

/** Why it is not taken, as a whole sentence. */
export interface Unfit {
  readonly why: string;
}
export type OrderFields = Readonly<Record<string, unknown>>;

/** Of an empty body, an object without fields. `order` is what `known` are the fields of, e.g. "purge". */
export function fieldsIn(body: string | undefined, order: string, known: readonly string[]): OrderFields | Unfit {
  if (body === undefined) return { why: `The body is too long for ${order}` };
  const fields = body.trim() === "" ? {} : parseObject(body);
  if (fields === undefined) return { why: `Expected a JSON object as the body of ${order}` };
  const stray = Object.keys(fields).find((name) => !known.includes(name));
  if (stray === undefined) return fields;
  const instead = known.length === 0 ? "expected an empty body or {}" : suggestion(stray, known);
  return { why: `Unknown field ${shown(stray)} in ${order}; ${instead}` };
}

/** An order is told by its path and its body alone: who writes it into the query would get another one than they asked for. */
export function queryOf(url: string, order: string): Unfit | undefined {
  const [name] = [...new URL(url).searchParams.keys()];
  if (name === undefined) return undefined;
  return {
    why: `Unknown parameter ${shown(name)} in the query of ${order}; what it takes stands in the body, as JSON`,
  };
}

/** Of a question: the parameters of its query that it knows. */
export function strayParameter(url: string, known: readonly string[]): Unfit | undefined {
  const stray = [...new URL(url).searchParams.keys()].find((name) => !known.includes(name));
  if (stray === undefined) return undefined;
  const instead = known.length === 0 ? "expected none" : suggestion(stray, known);
  return { why: `Unknown parameter ${shown(stray)}; ${instead}` };
}

export function isUnfit(one: object): one is Unfit {
  return "why" in one && typeof one.why === "string";
}

const shownMax = 60;

function shown(name: string): string {
  return JSON.stringify(name.length > shownMax ? `${name.slice(0, shownMax)}…` : name);
}

function parseObject(body: string): OrderFields | undefined {
  try {
    const value = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
