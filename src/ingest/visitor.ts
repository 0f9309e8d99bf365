/**
 * The cookie that tells a pixel's visitors apart: off unless it has a name, a random number and nothing else, gone after a fixed time
 * however often the visitor comes back. Who asks not to be tracked gets none, and loses the one it has.
 */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { HttpRequest } from "./http.ts";
import { headerText, keptCookies, openHttpsTest } from "./sender.ts";

export interface VisitorSettings {
  readonly visitor_cookie: string;
  readonly visitor_max_age: number;
  readonly trusted_proxies: readonly string[];
  readonly cookies: readonly string[];
}
export interface Visit {
  /** What the message keeps of cookies. */
  readonly cookies: string | undefined;
  readonly setCookie?: string;
}
export type Visitors = (request: HttpRequest) => Visit;

const idForm = /^[0-9a-f]{32}$/;

/** Nothing when the cookie has no name. */
export function openVisitors(
  settings: VisitorSettings,
  random: (bytes: number) => Uint8Array = randomBytes,
): Visitors | undefined {
  const { visitor_cookie: name, visitor_max_age: maxAgeMs, trusted_proxies, cookies } = settings;
  if (name === "") return undefined;
  const isHttps = openHttpsTest(trusted_proxies);
  const cookie = (request: HttpRequest, value: string, seconds: number) =>
    `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; ${
      isHttps(request) ? "SameSite=None; Secure" : "SameSite=Lax"
    }`;
  return (request) => {
    const { others, known } = cookiesIn(headerText(request.header("cookie"), Infinity) ?? "", name);
    if (wantsPeace(request)) {
      const kept = keptCookies(others, cookies);
      return known === undefined ? { cookies: kept } : { cookies: kept, setCookie: cookie(request, "", 0) };
    }
    const isKnown = known !== undefined && idForm.test(known);
    const id = isKnown ? known : Buffer.from(random(16)).toString("hex");
    const kept = keptCookies(`${name}=${id}; ${others}`, [name, ...cookies]);
    return isKnown ? { cookies: kept } : { cookies: kept, setCookie: cookie(request, id, Math.floor(maxAgeMs / 1000)) };
  };
}

/** Do Not Track, and Global Privacy Control. */
function wantsPeace(request: HttpRequest): boolean {
  return request.header("dnt") === "1" || request.header("sec-gpc") === "1";
}

function cookiesIn(header: string, name: string): { others: string; known: string | undefined } {
  const parts = header.split(";").map((part) => part.trim());
  const isOurs = (part: string) => part.startsWith(`${name}=`);
  return {
    others: parts.filter((part) => !isOurs(part)).join("; "),
    known: parts.find(isOurs)?.slice(name.length + 1),
  };
}
