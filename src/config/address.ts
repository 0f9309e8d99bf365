/** Where to listen, as it is written in the configuration: `host:port` or `[v6]:port`. */

export interface Address {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Nothing when the text is no such address. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const [, v6, name] = match;
  const port = Number(match[3]);
  const sound = v6 === undefined ? isNameOrV4(name!) : isV6(v6);
  return sound && port <= 65_535 ? { host: v6 ?? name!, port } : undefined;
}

/** Back to the text, with brackets where they are needed. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:/, "");
  return plain === "localhost" || plain === "::1" || (isV4(plain) && plain.startsWith("127."));
}

/** An address, or an IPv4 network such as 10.0.0.0/8. */
export function isAddressOrNetwork(text: string): boolean {
  const [host, prefix] = text.split("/", 2);
  if (prefix === undefined) return isV4(text) || isV6(text);
  return isV4(host!) && /^\d{1,2}$/.test(prefix) && Number(prefix) <= 32 && text === `${host}/${prefix}`;
}

function isNameOrV4(host: string): boolean {
  // All digits and dots can only be meant as an IPv4 address; "1.2.3" must not be looked up as a name.
  if (/^[\d.]+$/.test(host)) return isV4(host);
  return /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(host);
}

function isV4(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) && host.split(".").every((part) => Number(part) <= 255);
}

function isV6(host: string): boolean {
  return host.includes(":") && URL.canParse(`http://[${host}]/`);
}
