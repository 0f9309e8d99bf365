/** Where a socket is: `tcp://host:port`, the same without `tcp://`, or `ipc:///path/of/a/socket`. */
import { formatAddress, isLoopback, parseAddress } from "./address.ts";

export type Endpoint =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "ipc"; readonly path: string };

/** The system takes no longer paths of sockets. */
const pathMax = 107;

/** Nothing when the text is no endpoint. As for libzmq, `*` is every address of this machine. */
export function parseEndpoint(text: string): Endpoint | undefined {
  if (text.startsWith("ipc://")) {
    const path = text.slice("ipc://".length);
    return path !== "" && path.length <= pathMax && !path.includes("\0") ? { kind: "ipc", path } : undefined;
  }
  const address = parseAddress(text.replace(/^tcp:\/\//, "").replace(/^\*:/, "0.0.0.0:"));
  return address && { kind: "tcp", ...address };
}

export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.kind === "ipc" ? `ipc://${endpoint.path}` : formatAddress(endpoint);
}

/** Whether what is said there stays on this machine. */
export function staysHere(endpoint: Endpoint): boolean {
  return endpoint.kind === "ipc" || isLoopback(endpoint.host);
}
