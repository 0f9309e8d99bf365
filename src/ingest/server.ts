/** [shell] HTTP by `Deno.serve`: requests go to the routes, their answers go out. Nobody else knows who speaks HTTP. */
import { formatAddress, parseAddress } from "../config/address.ts";
import { accepted, type Answer, BodyLost, type HttpRequest, TooLarge } from "./http.ts";
import { problemAnswer } from "./problem.ts";
import type { Handle } from "./routes.ts";

export interface ServerOptions {
  /** `host:port` or `[v6]:port`; port 0 lets the system choose. */
  readonly listen: string;
  readonly handle: Handle;
  /** Something an operator must know. */
  readonly report: (text: string) => void;
}
export interface HttpServer {
  /** As `listen`, with the port in use. */
  readonly address: string;
  readonly port: number;
  /** Takes no further connections; resolves once those that are open have had their answers. */
  shutdown(): Promise<void>;
}

/** Resolves once connections are taken; rejects with the system's `code`, EADDRINUSE for a port that another has. */
export async function serveHttp({ listen, handle, report }: ServerOptions): Promise<HttpServer> {
  const address = parseAddress(listen);
  if (address === undefined) throw new Error(`Cannot listen on "${listen}": it is no address and port`);
  const server = Deno.serve({
    hostname: address.host,
    port: address.port,
    onListen() {},
    onError: (problem) => failed(problem, report),
  }, (request, info) => respond(request, info, handle, report));
  const { port } = server.addr;
  return {
    address: formatAddress({ host: address.host, port }),
    port,
    shutdown: () => server.shutdown(),
  };
}

type Info = Deno.ServeHandlerInfo<Deno.NetAddr>;

/** Sent again and again: making one costs more than the rest of a small request. */
const acceptedResponse = new Response(null, { status: accepted.status, headers: accepted.headers });

function respond(
  request: Request,
  info: Info,
  handle: Handle,
  report: ServerOptions["report"],
): Response | Promise<Response> {
  const target = targetOf(request);
  if (target === undefined) return responseOf(badTarget);
  try {
    const answer = handle(new ServedRequest(request, target, info));
    if (!(answer instanceof Promise)) return responseOf(answer);
    return answer.then(responseOf, (problem) => failed(problem, report));
  } catch (problem) {
    return failed(problem, report);
  }
}

function responseOf(answer: Answer): Response {
  if (answer === accepted) return acceptedResponse;
  return new Response(answer.body ?? null, { status: answer.status, headers: answer.headers });
}

/** A mistake of ours: told to the operator, not to the sender. */
function failed(problem: unknown, report: ServerOptions["report"]): Response {
  report(`a request failed: ${problem instanceof Error ? problem.stack ?? problem.message : String(problem)}`);
  return responseOf(
    problemAnswer({
      code: "internal",
      detail: "This is our mistake; whether messages were kept is unknown",
      outcome: "unknown",
    }),
  );
}

const badTarget = problemAnswer({ code: "bad-request", detail: "The request has no path, or its Host header is none" });

/** What stands behind the authority, as sent: `URL` would rewrite it. A slash in the Host header would shift it. */
function targetOf(request: Request): string | undefined {
  const { url } = request;
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const host = request.headers.get("host");
  return start < 0 || (host !== null && /[/?#@\s]/.test(host)) ? undefined : url.slice(start);
}

class ServedRequest implements HttpRequest {
  readonly target: string;
  readonly #request: Request;
  readonly #info: Info;

  constructor(request: Request, target: string, info: Info) {
    this.target = target;
    this.#request = request;
    this.#info = info;
  }
  get method(): string {
    return this.#request.method;
  }
  get peer(): string {
    return this.#info.remoteAddr.hostname;
  }
  header(name: string): string | null {
    return this.#request.headers.get(name);
  }
  async body(limit: number): Promise<Uint8Array> {
    const stated = this.header("content-length");
    if (stated !== null && Number(stated) > limit) throw new TooLarge("Content-Length is beyond the limit");
    try {
      // The length stated is enforced while it comes, so there is nothing to guard.
      return stated === null ? await gather(this.#request.body, limit) : await this.#request.bytes();
    } catch (problem) {
      if (problem instanceof TooLarge) throw problem;
      throw new BodyLost("The body did not come to its end", { cause: problem });
    }
  }
}

async function gather(stream: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream ?? []) {
    length += part.length;
    if (length > limit) throw new TooLarge("The body is beyond the limit");
    parts.push(part);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
