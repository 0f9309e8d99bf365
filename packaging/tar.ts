/** Writes tar archives (POSIX ustar) whose bytes depend on nothing but what is packed. Pure. */

export interface Packed {
  /** Relative, e.g. "usr/bin/sparkngin". */
  readonly path: string;
  /** Of a directory or link: none. */
  readonly bytes?: Uint8Array;
  /** Where a symbolic link leads. */
  readonly link?: string;
  /** 0o644, directories and links 0o755, unless said. */
  readonly mode?: number;
  /** User and group, by number. */
  readonly owner?: number;
}

const blockBytes = 512;

/** In the order of the entries, all of one time (seconds since 1970). */
export function makeTar(entries: readonly Packed[], epoch: number): Uint8Array {
  const parts = entries.flatMap((
    entry,
  ) => [makeHead(entry, epoch), entry.bytes ?? empty, padding(entry.bytes?.length)]);
  parts.push(new Uint8Array(2 * blockBytes));
  return joined(parts);
}

/** Every directory above the entries that is not among them, then the entries, parents first. */
export function withParents(entries: readonly Packed[]): Packed[] {
  const all = new Map<string, Packed>();
  for (const entry of entries) {
    const names = entry.path.split("/");
    for (let count = 1; count < names.length; count++) {
      const path = names.slice(0, count).join("/");
      if (!all.has(path)) all.set(path, { path });
    }
  }
  for (const entry of entries) all.set(entry.path, entry);
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const empty = new Uint8Array();

function padding(length = 0): Uint8Array {
  return new Uint8Array((blockBytes - length % blockBytes) % blockBytes);
}

function makeHead({ path, bytes, link, mode, owner = 0 }: Packed, epoch: number): Uint8Array {
  const head = new Uint8Array(blockBytes);
  const put = (at: number, text: string) => void head.set(new TextEncoder().encode(text), at);
  const number = (at: number, value: number, digits: number) => put(at, value.toString(8).padStart(digits, "0"));
  const isFile = bytes !== undefined;
  const { prefix, name } = splitPath(isFile || link !== undefined ? path : `${path}/`);
  put(0, name);
  number(100, mode ?? (isFile ? 0o644 : 0o755), 7);
  number(108, owner, 7);
  number(116, owner, 7);
  number(124, bytes?.length ?? 0, 11);
  number(136, epoch, 11);
  put(148, " ".repeat(8));
  put(156, isFile ? "0" : link === undefined ? "5" : "2");
  put(157, link ?? "");
  put(257, "ustar\0" + "00");
  put(345, prefix);
  number(148, head.reduce((sum, byte) => sum + byte, 0), 6);
  head[154] = 0;
  return head;
}

/** The name field has room for 100 bytes; what is in front of a slash may go into the prefix. */
function splitPath(path: string): { prefix: string; name: string } {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes <= 100) return { prefix: "", name: path };
  const cut = path.indexOf("/", path.length - 101);
  if (cut < 0 || cut > 155 || bytes !== path.length) throw new Error(`Cannot pack ${path}: its name is too long`);
  return { prefix: path.slice(0, cut), name: path.slice(cut + 1) };
}
