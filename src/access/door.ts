/** Whose key it is that came with a request over HTTP, or why it opens nothing. */
import { Buffer } from "node:buffer";
import { type Key, keyInHeader, secretMark } from "./key.ts";
import type { KeyRing } from "./key_ring.ts";

/** In words of problem+json. */
export interface Denial {
  readonly code: "unauthorized" | "forbidden" | "keys-unreadable";
  readonly status: 401 | 403 | 503;
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a request shows. */
export interface Showing {
  /** The Authorization header. */
  readonly authorization: string | null;
  /** A pixel key, from the query. */
  readonly keyId: string | undefined;
  /** All of the query, as sent. */
  readonly query: Uint8Array;
}

export function keyOf(ring: KeyRing, { authorization, keyId, query }: Showing): Key | Denial {
  if (holdsSecret(query)) return inQuery;
  if (authorization === null && keyId === undefined) return noKey;
  const shown = authorization === null ? keyId : keyInHeader(authorization);
  if (shown === undefined) return noKeyInHeader;
  if (!ring.known) return unreadable;
  return ring.find(shown) ?? noSuchKey;
}

export function isDenial(value: object): value is Denial {
  return "code" in value;
}

/** Why this key does not do. */
export function lacking({ id, scopes }: Key, scope: string): Denial {
  const challenge = `Bearer realm="sparkngin", error="insufficient_scope", scope="${scope}"`;
  const detail = `Key ${id} lacks the scope "${scope}": it has ${scopes.join(", ")}`;
  return { code: "forbidden", status: 403, detail, headers: { "www-authenticate": challenge } };
}

/** As bytes, because to look for a text costs ten times as much. */
const mark = Buffer.from(secretMark);

/** Whether a secret key stands there, under whatever name. */
function holdsSecret(query: Uint8Array): boolean {
  const bytes = Buffer.from(query.buffer, query.byteOffset, query.length);
  const at = bytes.indexOf(mark);
  return at >= 0 && /sng_[0-9a-f]{12}_[0-9a-f]{64}/.test(bytes.toString("latin1", at));
}

/** RFC 6750 3, RFC 7617 2. */
function unknown(detail: string, error?: string): Denial {
  const bearer = `Bearer realm="sparkngin"${error === undefined ? "" : `, error="${error}"`}`;
  const headers = { "www-authenticate": `${bearer}, Basic realm="sparkngin"` };
  return { code: "unauthorized", status: 401, detail, headers };
}

const noKey = unknown('Requests need a key here: send it as "Authorization: Bearer KEY"');
const noKeyInHeader = unknown(
  'There is no key in the Authorization header: write "Bearer KEY", or Basic with the key as password',
);
const noSuchKey = unknown("This key is not in force here: it is mistyped, or was revoked", "invalid_token");
const inQuery = unknown(
  "A key in a query ends up in logs, histories and Referer headers, so it is not taken: revoke it, make another, " +
    'and send that as "Authorization: Bearer KEY". Only pixel keys, which are public, stand in the query, as key_id',
  "invalid_request",
);
/** Not even a good key opens then. */
export const unreadable: Denial = {
  code: "keys-unreadable",
  status: 503,
  detail: "The keys cannot be read now, so nobody can tell whether this one is good",
  headers: { "retry-after": "1" },
};
