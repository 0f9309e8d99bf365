/** Segments as a later version of the program would write them. */
import { crc32 } from "node:zlib";
import { parseSegmentName, segmentHeaderBytes } from "../../src/log/format.ts";

/** The header as a version that needs a newer reader would write it. */
export function newer(bytes: Uint8Array, segment: string): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint16(10, 2, true);
  const id = Uint8Array.from(segment.match(/../g)!, (hex) => parseInt(hex, 16));
  const salt = crc32(new Uint8Array(8), crc32(id));
  view.setUint32(12, crc32(bytes.subarray(16), crc32(bytes.subarray(0, 12), salt)), true);
  return bytes;
}

/** Does that to the first segment in the directory; its name. */
export async function makeNewer(logDir: string): Promise<string> {
  const name = [...Deno.readDirSync(logDir)].map(({ name }) => name).filter((name) => name.endsWith(".seg")).sort()[0]!;
  const bytes = await Deno.readFile(`${logDir}/${name}`);
  newer(bytes.subarray(0, segmentHeaderBytes), parseSegmentName(name)!.segment);
  await Deno.writeFile(`${logDir}/${name}`, bytes);
  return name;
}
