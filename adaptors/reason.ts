/** Why a server cannot be reached or trusted, in words that say what to do. */
import type { Clock } from "../src/os/world.ts";

/** Who was connected to. */
export interface Server {
  /** Where: a name or an address. */
  readonly host: string;
  readonly port: number;
  /** Whom its certificate has to name. */
  readonly name: string;
  readonly ca?: string;
}

const askMs = 3000;
export const unverifiable = "UNABLE_TO_VERIFY_LEAF_SIGNATURE";

/** What libraries say of names and certificates, said plainly; all else stays as it is. */
export function inWords(text: string): string {
  const name = /getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (\S+)/.exec(text);
  if (name) return `the name ${name[1]} does not resolve`;
  if (/failed to lookup address information/.test(text)) return "its name does not resolve";
  if (/CERT_HAS_EXPIRED|certificate: expired|certificate expired/i.test(text)) return "its certificate has expired";
  if (/UNABLE_TO_VERIFY|UnknownIssuer/.test(text)) {
    return "its certificate is signed by nobody who is trusted here: set tls_ca";
  }
  return text;
}

/**
 * Why a certificate is not trusted. One that expired while it was in use is called unverifiable by the library: the server is asked
 * once more, by other means, and the reason found, if there is one.
 */
export async function distrustOf(
  problem: unknown,
  find: () => Server | Promise<Server>,
  clock: Clock,
): Promise<string | undefined> {
  const text = problem instanceof Error ? problem.message : String(problem);
  if (!text.includes(unverifiable)) return undefined;
  const over = new AbortController();
  const asked = handshake(find);
  try {
    return await Promise.race([asked.reason, clock.sleep(askMs, over.signal).then(() => undefined)]);
  } finally {
    over.abort();
    asked.close();
  }
}

function handshake(find: () => Server | Promise<Server>): { reason: Promise<string | undefined>; close(): void } {
  let open: Deno.Conn | undefined;
  let isOver = false;
  const close = () => {
    isOver = true;
    try {
      open?.close();
    } catch {
      // It has ended by itself.
    }
  };
  const reason = async () => {
    const { host, port, name, ca } = await find();
    const plain = await Deno.connect({ hostname: host, port });
    open = plain;
    if (isOver) return close();
    const secure = await Deno.startTls(plain, { hostname: name, caCerts: ca === undefined ? [] : [ca] });
    open = secure;
    await secure.handshake();
  };
  const said = reason().then(() => undefined, (problem) => {
    const text = String(problem?.message ?? problem);
    return text.includes("certificate") ? inWords(text) : undefined;
  });
  return { reason: said, close };
}
