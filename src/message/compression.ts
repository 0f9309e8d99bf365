/** How destinations pack what they send: gzip (RFC 1952) and Zstandard (RFC 8878), by the names that Content-Encoding has for them. */
import { constants, gzipSync, zstdCompressSync } from "node:zlib";

export const compressions = ["none", "gzip", "zstd"] as const;
export type Compression = typeof compressions[number];

/** Most of what goes out is small and passes by once: a better ratio would cost more than it saves. */
const gzipLevel = 3;

export function compress(bytes: Uint8Array, compression: Compression): Uint8Array {
  if (compression === "gzip") return gzipSync(bytes, { level: gzipLevel });
  // With the checksum, as gzip has one.
  if (compression === "zstd") return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  return bytes;
}
