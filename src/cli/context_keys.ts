/** What is kept of a server that has a name: declared once, for its file, for the options of `context add` and for the manual. */
import { checked, type Fields, optional, type Options, text } from "../config/options.ts";

/** What stands in the file of a context, and the options of `context add`. Files that it names may stand beside it. */
export const contextKeys = {
  url: optional(checked(text("management address of the server"), assertAddress)),
  send_url: optional(checked(text("intake address of the server, with its root, for send and bench"), assertAddress)),
  key_file: optional(text("file that holds the key to show; the one in SPARKNGIN_KEY goes to no context's server")),
  tls_ca: optional(text("certificate authority of the server, a PEM file")),
  tls_cert: optional(text("certificate to show to the server, a PEM file")),
  tls_key: optional(text("key of that certificate, a PEM file")),
} satisfies Fields;
export type ContextSettings = { readonly [K in keyof Options<typeof contextKeys>]?: string | undefined };

/** Keys whose values are names of files. */
export const contextFiles = ["key_file", "tls_ca", "tls_cert", "tls_key"] as const;

/** What is wrong with them together. */
export function problemOf({ url, send_url, tls_ca, tls_cert, tls_key }: ContextSettings): string | undefined {
  if (url === undefined && send_url === undefined) return "it needs url or send_url: where the server is";
  if ((tls_cert === undefined) !== (tls_key === undefined)) return "tls_cert and tls_key need each other";
  const isPlain = [url, send_url].some((one) => one !== undefined && !one.startsWith("https://"));
  if (isPlain && (tls_ca ?? tls_cert) !== undefined) return "with tls_ca or tls_cert its URLs begin with https://";
  return undefined;
}

function assertAddress(given: string): void {
  const url = /^https?:\/\//.test(given) && URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || url.search !== "" || url.hash !== "") {
    throw new TypeError('a URL such as "https://collector.example.com:8081"');
  }
  if (url.username !== "" || url.password !== "") throw new TypeError("a URL without a login: use key_file");
}
