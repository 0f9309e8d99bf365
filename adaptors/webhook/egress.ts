/**
 * Where messages may go. Asked with the address that is about to be connected to, so that a name that resolves elsewhere
 * the second time gets nobody anywhere. Pure.
 */
import { BlockList, isIP } from "node:net";

/** Metadata services of clouds, link-local, unspecified and multicast addresses: no webhook is there, but secrets are. */
const strange: readonly (readonly [address: string, bits: number])[] = [
  ["0.0.0.0", 8],
  ["100.100.100.200", 32], // Alibaba's metadata
  ["168.63.129.16", 32], // Azure's wire server
  ["169.254.0.0", 16], // link-local, and most clouds' metadata
  ["192.0.0.192", 32], // Oracle's metadata
  ["224.0.0.0", 3], // multicast, reserved, broadcast
  ["::", 128],
  ["fd00:ec2::254", 128], // Amazon's metadata
  ["fe80::", 10],
  ["ff00::", 8],
];

export class Egress {
  readonly #names: readonly string[];
  readonly #listed = new BlockList();
  readonly #strange = new BlockList();

  /** Throws a `TypeError` that says what `allow` must be. */
  constructor(allow: readonly string[]) {
    for (const [address, bits] of strange) addNetwork(this.#strange, address, bits);
    for (const [address, bits] of strange.filter(([address]) => isIP(address) === 4)) {
      for (const [prefix, length] of embeddings(address)) addNetwork(this.#strange, prefix, length + bits);
    }
    const isNetwork = (one: string) => isIP(one.split("/")[0]!) !== 0;
    for (const one of allow.filter(isNetwork)) this.#list(one);
    this.#names = allow.filter((one) => !isNetwork(one)).map(nameIn);
    this.#open = allow.length === 0;
  }
  readonly #open: boolean;

  /** Why `host` must not be reached at `address`, or nothing. */
  refusal(host: string, address: string): string | undefined {
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (isIP(address) === 0) return "that is no address";
    if (this.#listed.check(address, family)) return undefined;
    if (this.#strange.check(address, family)) {
      return "which is link-local, a metadata service, or nobody's: list the address in allow if you mean it";
    }
    return this.#open || this.#names.some((name) => fits(name, host)) ? undefined : "which is not in allow";
  }

  #list(written: string): void {
    const [address, bits, ...more] = written.split("/");
    const most = isIP(address!) === 4 ? 32 : 128;
    const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
    if (more.length > 0 || !(length <= most)) throw new TypeError(expected(written));
    addNetwork(this.#listed, address!, length);
  }
}

/** IPv6 addresses that stand for an IPv4 address: NAT64 and 6to4. Mapped ones are known to be the same. */
function embeddings(address: string): [prefix: string, bits: number][] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  const groups = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  return [[`64:ff9b::${groups}`, 96], [`2002:${groups}::`, 16]];
}

function addNetwork(list: BlockList, address: string, bits: number): void {
  list.addSubnet(address, bits, isIP(address) === 6 ? "ipv6" : "ipv4");
}

function nameIn(written: string): string {
  const name = written.toLowerCase().replace(/\.$/, "");
  if (!/^(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name)) throw new TypeError(expected(written));
  return name;
}

/** `*.example.com` is every name below it, and not itself. */
function fits(pattern: string, host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  return pattern.startsWith("*.") ? name.endsWith(pattern.slice(1)) && name.length >= pattern.length : name === pattern;
}

function expected(written: string): string {
  return `hosts such as "hooks.example.com" or "*.example.com", addresses, and networks such as "10.0.0.0/8"; not ${
    JSON.stringify(written)
  }`;
}
