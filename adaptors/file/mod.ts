/**
 * Files: one line a message, by topic and hour, finished by rename. A line is synced before the message counts as taken, and is
 * in the files once, crash or not (`open.ts` says why).
 */
import { adaptor, type Place } from "../../src/deliver/adaptor.ts";
import { checked, choice, duration, optional, size, text } from "../../src/config/options.ts";
import { compressions } from "../../src/message/compression.ts";
import { join } from "../../src/os/world.ts";
import { endings, packingOf } from "./member.ts";
import { Output } from "./output.ts";
import { Template } from "./path.ts";

export default adaptor({
  summary: "files, one line a message, by topic and hour",
  promise: () => "confirmed",
  options: {
    dir: optional(text('directory of its own for the files; "out" in the data directory if left out')),
    template: checked(
      text(
        "path of a file; %topic% %env% %type% %level% are the message's, %date% and %hour% when it arrived (UTC)",
        "%topic%/%date%/%hour%",
      ),
      (given) => void new Template(given),
    ),
    suffix: checked(text('what file names end in; use ".log" with format raw', ".ndjson"), assertSuffix),
    compression: choice("how files are compressed; .gz or .zst follows the suffix then", compressions, "none"),
    roll_bytes: size("a file is finished when it has this many bytes", "64MiB", 1),
    keep: duration('finished files are removed when this old; "0s" keeps them for ever', "7d"),
    keep_max: size("the oldest finished files are removed beyond this many bytes; 0 is no limit", "1GiB"),
  },

  async open({ dir = "", template, suffix, compression, roll_bytes, keep, keep_max }, place, signal) {
    signal.throwIfAborted();
    return new Output({
      dir: directoryOf(dir, place),
      template: new Template(template),
      suffix: suffix + endings[compression],
      packing: packingOf(compression),
      rollBytes: roll_bytes,
      keepMs: keep,
      keepBytes: keep_max,
    }, place);
  },

  /** Not by opening it: that finishes the files that a running server has open. */
  async check({ dir = "" }, place) {
    const { files } = place.world;
    const wanted = directoryOf(dir, place);
    try {
      let there = wanted;
      while (!files.exists(there)) there = parentOf(there);
      const trial = join(there, `.sparkngin-check-${Math.floor(place.world.random() * 1e9)}`);
      files.create(trial).close();
      files.remove(trial);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : cause;
      throw new Error(`Cannot write to directory "${wanted}": ${reason}; check its owner and rights`, { cause });
    }
  },
});

function directoryOf(dir: string, place: Place): string {
  return (dir || place.dir).replace(/(?<=.)\/+$/, "");
}

function parentOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, end) || "/";
}

function assertSuffix(given: string): void {
  if (!/^\.[A-Za-z0-9]{1,16}$/.test(given) || given === ".open") {
    throw new TypeError('a dot and 1 to 16 letters or digits, and not ".open"');
  }
}
