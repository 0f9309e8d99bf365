/**
 * What a key is and what it allows: pure. A secret key is `sng_ID_SECRET`, of which only ID and the SHA-256 of SECRET are kept; a
 * pixel key is `snp_ID`, stands in pages for everybody to see, and may only write, to the topics it names.
 */
import { Buffer } from "node:buffer";
import { hash, timingSafeEqual } from "node:crypto";
import { patternOf } from "../message/filter.ts";

/** What a key may ask for beyond what the listener gives everybody. */
export const ackLevels = ["memory", "disk", "delivered"] as const;
export type AckLevel = (typeof ackLevels)[number];

export interface Key {
  /** Public: names the key in lists and orders. A pixel key is nothing but its id. */
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the secret in hex; nothing for a pixel key. */
  readonly digest?: string;
  /** Wall time in ms. */
  readonly created: number;
  /** "write", "write:PATTERN", "read", "admin". */
  readonly scopes: readonly string[];
  readonly ack?: readonly AckLevel[];
  /** Requests a second. */
  readonly rate?: number;
  /** Messages a day. */
  readonly quota?: number;
}

/** What somebody wants of a new key, as on the command line. */
export interface KeyWish {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly ack?: readonly string[];
  readonly rate?: string;
  readonly quota?: string;
  readonly pixel?: boolean;
}
/** What a new key is made of: bytes that nobody can guess, and the time. */
export interface KeyMint {
  random(bytes: number): Uint8Array;
  readonly now: number;
}
export interface NewKey {
  readonly key: Key;
  /** What its owner sends; of a secret key nobody can tell it a second time. */
  readonly shown: string;
}

const secretBytes = 32;
const secretForm = /^sng_([0-9a-f]{12})_([0-9a-f]{64})$/;
const secretIdForm = /^[0-9a-f]{12}$/;
const pixelForm = /^snp_[0-9a-f]{32}$/;
/** What every secret key begins with: so it is found where it must not stand. */
export const secretMark = "sng_";
export const keyIdForm = /^(?:[0-9a-f]{12}|snp_[0-9a-f]{32})$/;
const nameForm = /^[\w .@:/+-]{1,64}$/;
const scopeForm = /^(?:read|admin|write(?::[A-Za-z0-9._*-]{1,249})?)$/;

/** Throws a `TypeError` that says what is wrong with the wish. */
export function newKey(wish: KeyWish, { random, now }: KeyMint): NewKey {
  const common = { name: wish.name, created: now, ...termsOf(wish) };
  if (wish.pixel) {
    const id = `snp_${hex(random(16))}`;
    return { key: checked({ id, ...common }), shown: id };
  }
  const [id, secret] = [hex(random(6)), hex(random(secretBytes))];
  return { key: checked({ id, digest: digestOf(secret), ...common }), shown: `${secretMark}${id}_${secret}` };
}

type Terms = Pick<Key, "scopes" | "ack" | "rate" | "quota">;

function termsOf({ scopes, ack, rate, quota }: KeyWish): Terms {
  return {
    scopes: [...new Set(scopes)],
    ...(ack && { ack: [...new Set(ack)] as AckLevel[] }),
    ...(rate !== undefined && { rate: amount(rate, "s", "rate", '"100/s"') }),
    ...(quota !== undefined && { quota: amount(quota, "day", "quota", '"100000/day"') }),
  };
}

function amount(text: string, unit: string, what: string, example: string): number {
  const [number = "", per] = text.split("/");
  if (/^[1-9]\d{0,11}$/.test(number) && per === unit) return Number(number);
  throw new TypeError(`the ${what} "${text}" is not written like ${example}`);
}

/** The key, if all of it is as it must be; throws a `TypeError` that says what is not. */
export function checked(key: Key): Key {
  const { id, name, digest, created, scopes, ack = [], rate = 1, quota = 1 } = key;
  const wrong = !nameForm.test(name)
    ? `the name "${name}" is not 1 to 64 letters, digits, blanks and _ . @ : / + -`
    : scopes.length === 0
    ? "there is no scope: give it write, write:TOPICS, read or admin"
    : scopeProblem(scopes) ?? ackProblem(ack) ?? (pixelForm.test(id) ? pixelProblem(key) : undefined);
  if (wrong !== undefined) throw new TypeError(wrong);
  const sound = pixelForm.test(id)
    ? digest === undefined
    : secretIdForm.test(id) && /^[0-9a-f]{64}$/.test(digest ?? "");
  if (!sound || ![created, rate, quota].every((one) => Number.isSafeInteger(one) && one > 0)) {
    throw new TypeError("what is kept of it is damaged");
  }
  return key;
}

function scopeProblem(scopes: readonly string[]): string | undefined {
  const bad = scopes.find((scope) => !scopeForm.test(scope));
  return bad === undefined ? undefined : `there is no scope "${bad}": there are write, write:TOPICS, read and admin`;
}

function ackProblem(ack: readonly string[]): string | undefined {
  const bad = ack.find((level) => !(ackLevels as readonly string[]).includes(level));
  return bad === undefined ? undefined : `there is no acknowledgement "${bad}": there are ${ackLevels.join(", ")}`;
}

function pixelProblem({ scopes, ack }: Key): string | undefined {
  if (ack !== undefined) return "a pixel key cannot ask for acknowledgements";
  if (scopes.every((scope) => scope.startsWith("write:"))) return undefined;
  return "everybody can see a pixel key, so it may only write, and to topics it names: --scope write:web.*";
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function digestOf(secret: string): string {
  return hash("sha256", secret, "hex");
}

/** What was sent as a key, taken apart; nothing when it has the form of none. */
export interface Shown {
  readonly id: string;
  /** Nothing in a pixel key. */
  readonly secret?: string;
}

export function readShown(text: string): Shown | undefined {
  if (pixelForm.test(text)) return { id: text };
  const [, id, secret] = secretForm.exec(text) ?? [];
  return id === undefined ? undefined : { id, secret };
}

const noDigest = "0".repeat(64);

/** Whether that is the key. Takes as long for a wrong one as for a right one, and as long for one that does not exist. */
export function isKey(key: Key | undefined, { secret }: Shown): key is Key {
  if (secret === undefined) return key !== undefined && key.digest === undefined;
  const same = timingSafeEqual(Buffer.from(digestOf(secret)), Buffer.from(key?.digest ?? noDigest));
  return same && key?.digest !== undefined;
}

/** The topics a key may write to, as a test; nothing when it may not write. */
export function writableTopics({ scopes }: Key): ((topic: string) => boolean) | undefined {
  const patterns = scopes.filter((scope) => scope.startsWith("write:")).map((scope) => scope.slice("write:".length));
  if (scopes.includes("write")) return () => true;
  return patterns.length === 0 ? undefined : patternOf(patterns.join(","));
}

export function mayRead({ scopes }: Key): boolean {
  return scopes.includes("read") || scopes.includes("admin");
}

export function mayAdminister({ scopes }: Key): boolean {
  return scopes.includes("admin");
}

/**
 * The key in the value of an Authorization header: a bearer token (RFC 6750), or the password of Basic (RFC 7617) for tools
 * that know only that. Nothing when there is none in it.
 */
export function keyInHeader(value: string): string | undefined {
  const [, scheme, rest] = /^(\w+) +([\w.~+/=-]+) *$/.exec(value) ?? [];
  if (scheme?.toLowerCase() === "bearer") return rest;
  if (scheme?.toLowerCase() !== "basic") return undefined;
  const pair = Buffer.from(rest!, "base64").toString("latin1");
  const colon = pair.indexOf(":");
  return colon < 0 ? undefined : pair.slice(colon + 1);
}
