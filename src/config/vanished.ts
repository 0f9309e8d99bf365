/** A directory of configuration files that is gone as a whole: most often it is about to be replaced, or its disk is not mounted. */
import { type ConfigFile, Document } from "./document.ts";
import { isTable } from "./reference.ts";

/** What lay in `dir`, which is gone, against what the configuration says without it. */
export interface Vanishing {
  readonly dir: string;
  readonly before: readonly ConfigFile[];
  readonly files: readonly ConfigFile[];
}

/** Why it may not be so, when destinations would go with it; nothing when no other file lacks them. */
export function vanished({ dir, before, files }: Vanishing): string | undefined {
  const left = namesIn(files);
  const lost = namesIn(before).filter((name) => !left.includes(name));
  if (lost.length === 0) return undefined;
  const destinations = lost.map((name) => JSON.stringify(name)).join(", ");
  return `Cannot read ${dir}: the directory is gone, and with it ${destinations}, which stood in it when it was read last: ` +
    `reload again when it is back; if nothing of it should stay, make an empty one (mkdir ${dir}), or restart`;
}

/** Of the destinations. */
function namesIn(files: readonly ConfigFile[]): string[] {
  const { destination } = new Document(files).tables;
  const all = Array.isArray(destination) ? destination.filter(isTable) : [];
  return all.map(({ name }) => String(name));
}
