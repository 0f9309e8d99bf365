/**
 * Wraps a volume into a compressed disk image as macOS reads it (UDIF, "UDZO"): pieces of the volume, a property list that says
 * where each is, and a trailer that says where that is. All numbers big-endian. Pure.
 */
import { Buffer } from "node:buffer";
import { crc32, deflateSync } from "node:zlib";
import { sha256 } from "./checksums.ts";
import { joined } from "./tar.ts";

const sectorBytes = 512;
const pieceSectors = 512;
/** What is done to a piece. */
const kinds = { zero: 2, raw: 1, zlib: 0x8000_0005, end: 0xffff_ffff } as const;

interface Piece {
  readonly kind: number;
  readonly sector: number;
  readonly sectors: number;
  readonly at: number;
  readonly bytes: number;
}

export function makeUdif(volume: Uint8Array): Uint8Array {
  if (volume.length % sectorBytes !== 0) throw new Error("Cannot wrap a volume that is not of whole sectors");
  const sectors = volume.length / sectorBytes;
  const parts: Uint8Array[] = [];
  const pieces: Piece[] = [];
  let at = 0;
  for (let sector = 0; sector < sectors; sector += pieceSectors) {
    const plain = volume.subarray(sector * sectorBytes, (sector + pieceSectors) * sectorBytes);
    const { kind, bytes } = packed(plain);
    pieces.push({ kind, sector, sectors: plain.length / sectorBytes, at, bytes: bytes.length });
    parts.push(bytes);
    at += bytes.length;
  }
  pieces.push({ kind: kinds.end, sector: sectors, sectors: 0, at, bytes: 0 });
  const data = joined(parts);
  const sum = crc32(volume);
  const list = new TextEncoder().encode(propertyList(blockTable(sectors, pieces, sum)));
  return joined([data, list, trailer(data, list.length, sectors, sum)]);
}

function packed(plain: Uint8Array): { kind: number; bytes: Uint8Array } {
  if (plain.every((byte) => byte === 0)) return { kind: kinds.zero, bytes: new Uint8Array() };
  const bytes = deflateSync(plain, { level: 6 });
  return bytes.length < plain.length ? { kind: kinds.zlib, bytes } : { kind: kinds.raw, bytes: plain };
}

/** The "mish" block: 204 bytes of head, 40 for each piece. */
function blockTable(sectors: number, pieces: readonly Piece[], sum: number): Buffer {
  const table = Buffer.alloc(204 + 40 * pieces.length);
  table.write("mish", 0);
  table.writeUInt32BE(1, 4);
  table.writeBigUInt64BE(BigInt(sectors), 16);
  table.writeUInt32BE(pieceSectors + 8, 32);
  writeSum(table, 64, sum);
  table.writeUInt32BE(pieces.length, 200);
  pieces.forEach(({ kind, sector, sectors, at, bytes }, number) => {
    const base = 204 + 40 * number;
    table.writeUInt32BE(kind, base);
    [sector, sectors, at, bytes].forEach((value, i) => table.writeBigUInt64BE(BigInt(value), base + 8 + 8 * i));
  });
  return table;
}

/** The "koly" block. */
function trailer(data: Uint8Array, listBytes: number, sectors: number, sum: number): Buffer {
  const block = Buffer.alloc(512);
  block.write("koly", 0);
  for (const [at, value] of [[4, 4], [8, 512], [12, 1], [56, 1], [60, 1], [488, 1]] as const) {
    block.writeUInt32BE(value, at);
  }
  block.writeBigUInt64BE(BigInt(data.length), 32);
  Buffer.from(sha256(data).slice(0, 32), "hex").copy(block, 64);
  writeSum(block, 80, crc32(data));
  block.writeBigUInt64BE(BigInt(data.length), 216);
  block.writeBigUInt64BE(BigInt(listBytes), 224);
  const master = Buffer.alloc(4);
  master.writeUInt32BE(sum);
  writeSum(block, 352, crc32(master));
  block.writeBigUInt64BE(BigInt(sectors), 492);
  return block;
}

/** A CRC-32 of 32 bits, in room for 1024. */
function writeSum(into: Buffer, at: number, sum: number): void {
  into.writeUInt32BE(2, at);
  into.writeUInt32BE(32, at + 4);
  into.writeUInt32BE(sum, at + 8);
}

function propertyList(table: Buffer): string {
  const name = "whole disk (Apple_HFS : 0)";
  const entry = (data: Buffer, title: string) =>
    `<dict>
<key>Attributes</key><string>0x0050</string>
<key>CFName</key><string>${title}</string>
<key>Data</key><data>${data.toString("base64")}</data>
<key>ID</key><string>0</string>
<key>Name</key><string>${title}</string>
</dict>`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict><key>resource-fork</key><dict>
<key>blkx</key><array>${entry(table, name)}</array>
<key>plst</key><array>${entry(Buffer.alloc(1032), "")}</array>
</dict></dict></plist>
`;
}
