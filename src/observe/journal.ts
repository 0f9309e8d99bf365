/**
 * What the program says of itself while it runs: a line a happening, text for people, JSON for machines. Never a payload, never
 * a secret, and nothing raw that could drive a terminal. A sentence that repeats is said once a minute, with its count.
 */
import type { Clock } from "../os/world.ts";

const levels = ["info", "warning", "error"] as const;
export type Level = (typeof levels)[number];
export interface Journal {
  say(level: Level, text: string, facts?: Readonly<Record<string, string | number>>): void;
}

const repeatMs = 60_000;
const rememberedMax = 1000;

export interface JournalSettings {
  readonly form: "text" | "json";
  /** What is less than this is not said. */
  readonly least?: Level;
}

export function openJournal(clock: Clock, write: (line: string) => void, settings: JournalSettings): Journal {
  const { form, least = "info" } = settings;
  const said = new Map<string, { at: number; held: number }>();
  return {
    say(level, text, facts = {}) {
      if (levels.indexOf(level) < levels.indexOf(least)) return;
      const key = `${level} ${facts.destination ?? ""} ${text}`;
      const before = said.get(key);
      if (before && clock.elapsed() - before.at < repeatMs) {
        before.held++;
        return;
      }
      if (said.size > rememberedMax) said.clear();
      said.set(key, { at: clock.elapsed(), held: 0 });
      const all = before && before.held > 0 ? { ...facts, repeated: before.held } : facts;
      write(line(form, { time: new Date(clock.now()).toISOString(), level, text, facts: all }));
    },
  };
}

interface Happening {
  readonly time: string;
  readonly level: Level;
  readonly text: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

function line(form: "text" | "json", { time, level, text, facts }: Happening): string {
  if (form === "json") return `${JSON.stringify({ time, level, message: text, ...facts })}\n`;
  const tail = Object.entries(facts).map(([name, value]) => ` ${name}=${plain(String(value))}`).join("");
  return `${time} ${level.padEnd(7)} ${plain(text)}${tail}\n`;
}

/** Control characters as \u escapes: a hostile name must not move the cursor or fake a line. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
