/**
 * Cross-origin resource sharing: which pages may read our answers, and send more than plain text. It keeps no message out, for
 * browsers send simple requests without asking: keys do that. https://fetch.spec.whatwg.org/#http-cors-protocol
 */
import { type HttpRequest, withHeaders } from "./http.ts";
import type { Handle } from "./routes.ts";

type Headers = Readonly<Record<string, string>>;

const anyOrigin = "*";
/** Of pages from files, sandboxes and the like: anybody can make one, so it is allowed by name only. */
const opaqueOrigin = "null";
const preflightSeconds = 7200;
const exposed =
  "sparkngin-ack, sparkngin-repeated, sparkngin-diverted, idempotent-replayed, retry-after, ratelimit, ratelimit-policy";
const sendable =
  "authorization, content-type, content-encoding, sparkngin-ack, sparkngin-on-bad, prefer, idempotency-key, traceparent, tracestate";

/** What comes from no page costs one look and is answered as before. */
export function withCors(handle: Handle, origins: readonly string[]): Handle {
  return (request) => {
    const origin = request.header("origin");
    if (origin === null) return handle(request);
    const more = isPreflight(request) ? preflightHeaders(origin, origins) : answerHeaders(origin, origins);
    const answer = handle(request);
    return answer instanceof Promise ? answer.then((one) => withHeaders(one, more)) : withHeaders(answer, more);
  };
}

function isPreflight(request: HttpRequest): boolean {
  return request.method === "OPTIONS" && request.header("access-control-request-method") !== null;
}

function preflightHeaders(origin: string, origins: readonly string[]): Headers {
  const vary = { vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" };
  const granted = grant(origin, origins);
  if (granted === undefined) return vary;
  return {
    ...granted,
    ...vary,
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers": sendable,
    "access-control-max-age": String(preflightSeconds),
  };
}

function answerHeaders(origin: string, origins: readonly string[]): Headers {
  const granted = grant(origin, origins);
  return { ...granted, ...(granted && { "access-control-expose-headers": exposed }), vary: "Origin" };
}

/** Credentials only for origins that are named: `sendBeacon` always sends them. */
function grant(origin: string, origins: readonly string[]): Headers | undefined {
  if (origins.includes(origin)) {
    return { "access-control-allow-origin": origin, "access-control-allow-credentials": "true" };
  }
  if (!origins.includes(anyOrigin) || origin === opaqueOrigin) return undefined;
  return { "access-control-allow-origin": anyOrigin };
}
