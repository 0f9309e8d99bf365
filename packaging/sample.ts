/** The sample that `sparkngin config sample` prints; with `data` set, the line of the directory counts. */
import { adaptors } from "../adaptors/mod.ts";
import { sampleConfig } from "../src/config/sample.ts";

export async function makeSample(data?: string): Promise<string> {
  const kinds = Object.entries(adaptors).map(async ([name, load]) => [name, (await load()).default] as const);
  const sample = sampleConfig(Object.fromEntries(await Promise.all(kinds)));
  if (data === undefined) return sample;
  const placed = sample.replace(/^# ?data = .*$/m, `data = ${JSON.stringify(data)}`);
  if (placed === sample) throw new Error("Cannot say in the sample where the data are: it has no line of that key");
  return placed;
}
