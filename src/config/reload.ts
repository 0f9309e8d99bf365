/** What a running node takes over of a configuration that was read again, and what waits for its next start. */
import { type Config, coreKeys, type Destination } from "./keys.ts";

/** Keys of the core that a running node takes over. Destinations come, go and change as they like. */
export const liveKeys: readonly string[] = [
  "http.root",
  "http.topic",
  "http.cors_origins",
  "http.cookies",
  "http.ip",
  "http.visitor_cookie",
  "http.visitor_max_age",
  "http.ack_deadline",
  "http.message_max",
  "http.messages_max",
  "http.depth_max",
  "http.topics_max",
  "http.topics_allow",
  "log.retain",
  "log.retain_max",
];

export interface Change {
  /** What to run with: the wanted configuration, but for keys that need a restart. */
  readonly config: Config;
  /** Keys that were taken over, by path. */
  readonly keys: readonly string[];
  /** Keys that differ and stay as they were. */
  readonly needsRestart: readonly string[];
  /** Names of destinations. */
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

export function changeTo(wanted: Config, running: Config): Change {
  const differing = coreKeys().filter((key) => !same(valueIn(wanted, key), valueIn(running, key))).map(({ path }) =>
    path
  );
  const keys = differing.filter((path) => liveKeys.includes(path));
  const before = new Map(running.destination.map((destination) => [destination.name, destination]));
  const names = new Set(wanted.destination.map(({ name }) => name));
  return {
    config: merged(wanted, running),
    keys,
    needsRestart: [
      ...differing.filter((path) => !liveKeys.includes(path)),
      ...(same(wanted.zeromq, running.zeromq) ? [] : ["zeromq"]),
      ...(same(wanted.pipe, running.pipe) ? [] : ["pipe"]),
    ],
    added: [...names].filter((name) => !before.has(name)),
    changed: wanted.destination.filter((one) => isOther(one, before.get(one.name))).map(({ name }) => name),
    removed: [...before.keys()].filter((name) => !names.has(name)),
  };
}

/** `from` only matters to a destination that is new. */
function isOther({ from: _, ...wanted }: Destination, running: Destination | undefined): boolean {
  if (running === undefined) return false;
  const { from: __, ...rest } = running;
  return !same(wanted, rest);
}

function merged(wanted: Config, running: Config): Config {
  const config = { ...running, http: { ...running.http }, log: { ...running.log }, destination: wanted.destination };
  const into = config as unknown as Record<string, Record<string, unknown>>;
  for (const path of liveKeys) {
    const [section, name] = path.split(".") as [string, string];
    into[section]![name] = valueIn(wanted, { section: section as "http", name });
  }
  return config;
}

function valueIn(config: Config, { section, name }: { section: string | undefined; name: string }): unknown {
  const values = (section === undefined ? config : config[section as "http"]) as unknown as Record<string, unknown>;
  return values[name];
}

/** Values of a configuration are plain, and made in the order of their declaration. */
function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
