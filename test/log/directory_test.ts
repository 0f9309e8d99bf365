import assert from "node:assert/strict";
import {
  claimDirectory,
  DirectoryBusy,
  DirectoryRefused,
  NewerFormat,
  nodeOf,
  type Position,
  SegmentWriter,
} from "../../src/log/mod.ts";
import { listSegments, nodeInFile, readNumber, removeLeftovers, writeNumber } from "../../src/log/directory.ts";
import { encodeSegmentHeader, segmentName } from "../../src/log/format.ts";
import { crc32 } from "node:zlib";
import { SimWorld } from "../sim/world.ts";
import { newer } from "./newer.ts";
import { bytesOf, dir, imageOf, logDir, quarantined, segmentsOf, Trial } from "./trial.ts";

async function withMessages(sim = new SimWorld(1)): Promise<SimWorld> {
  const trial = new Trial(sim);
  await trial.append("a", "b");
  await trial.close();
  return sim;
}
/** The file as the log writes it. */
function line(name: string, text: string): Uint8Array {
  return bytesOf(`${text} ${crc32(text, crc32(name)).toString(16).padStart(8, "0")}\n`);
}

Deno.test("a new directory gets its places, its lock and a node id, all of which a power cut leaves", () => {
  for (let seed = 0; seed < 50; seed++) {
    const sim = new SimWorld(seed);
    const node = claimDirectory(sim.boot(), "var/lib/data", "me");
    assert.match(node, /^[0-9a-f]{16}$/);
    sim.cutPower();
    assert.equal(claimDirectory(sim.boot(), "var/lib/data", "me"), node);
    for (const place of ["log", "cursors", "dead", "quarantine"]) assert.ok(sim.files.exists(`var/lib/data/${place}`));
  }
});

Deno.test("wherever the power is cut in the first start, the second one succeeds", () => {
  for (let seed = 0; seed < 20; seed++) {
    for (let calls = 1; calls < 40; calls++) {
      const sim = new SimWorld(seed);
      sim.stopAt(calls);
      try {
        claimDirectory(sim.boot(), "var/data", "me");
      } catch {
        // The power is gone.
      }
      sim.cutPower();
      assert.match(claimDirectory(sim.boot(), "var/data", "me"), /^[0-9a-f]{16}$/);
    }
  }
});

Deno.test("P18: a second process is refused, and told who has the directory", () => {
  const sim = new SimWorld(1);
  claimDirectory(sim.boot(), dir, "process 7 on host");
  assert.throws(
    () => claimDirectory(sim.boot(), dir, "process 8 on host"),
    (problem) => problem instanceof DirectoryBusy && /"data": process 7 on host has it/.test(problem.message),
  );
});

Deno.test("P18: the lock of a process that died is no hindrance", () => {
  const sim = new SimWorld(1);
  const node = claimDirectory(sim.boot(), dir, "process 7");
  sim.killProcess();
  assert.equal(claimDirectory(sim.boot(), dir, "process 8"), node);
});

Deno.test("P9: a node id that is lost, or of garbage, is found in the segments and written again", async () => {
  const damages: Readonly<Record<string, (sim: SimWorld) => void>> = {
    lost: (sim) => sim.files.remove("data/node"),
    empty: (sim) => sim.truncateFile("data/node", 0),
    garbage: (sim) => sim.writeFile("data/node", bytesOf("\xff\0nonsense")),
    "one digit other": (sim) => sim.flipByte("data/node", 3, 0),
    "without its checksum": (sim) => sim.writeFile("data/node", bytesOf("0123456789abcdef\n")),
  };
  for (const [how, damage] of Object.entries(damages)) {
    const sim = await withMessages();
    const node = nodeOf(sim.files, dir);
    const before = sim.fileBytes("data/node");
    damage(sim);
    const trial = new Trial(sim);
    assert.equal(trial.node, node, how);
    assert.deepEqual(trial.read().length, 2, how);
    assert.deepEqual(sim.fileBytes("data/node"), before, how);
    assert.equal(quarantined(sim).length, how === "lost" ? 0 : 1, how);
  }
});

Deno.test("P18: a directory whose node nobody can tell is refused", () => {
  const sim = new SimWorld(1);
  claimDirectory(sim.boot(), dir, "me");
  sim.killProcess();
  sim.flipByte("data/node", 0);
  assert.throws(() => claimDirectory(sim.boot(), dir, "me"), DirectoryRefused);
});

Deno.test("P18: a directory of another node id is refused and not a byte of it changed", async () => {
  const sim = await withMessages();
  sim.writeFile("data/node", line("node", "fedcba9876543210"));
  sim.writeFile(`${logDir}/left.tmp`, bytesOf("x"));
  sim.files.remove("data/mark");
  assert.equal(claimDirectory(sim.boot(), dir, "me"), "fedcba9876543210");
  const before = imageOf(sim);
  assert.throws(() => started(sim, "fedcba9876543210"), (problem) => {
    return problem instanceof DirectoryRefused &&
      /says node [0-9a-f]{16}, the directory says node fedc/.test(problem.message);
  });
  assert.deepEqual(imageOf(sim), before);
});

Deno.test("P18: one segment of another node is enough to refuse", async () => {
  const sim = await withMessages();
  const other = new SimWorld(2);
  await withMessages(other);
  const [foreign] = segmentsOf(other);
  sim.writeFile(foreign!, other.fileBytes(foreign!));
  const before = imageOf(sim);
  assert.throws(() => new Trial(sim), DirectoryRefused);
  assert.deepEqual(imageOf(sim), before);
});

Deno.test("P18 P19: a directory of a newer format is refused and not a byte of it changed", async () => {
  const sim = await withMessages();
  const segment = "00000000000000ff";
  const name = segmentName(2, segment);
  sim.writeFile(
    `${logDir}/${name}`,
    newer(
      encodeSegmentHeader({
        node: nodeOf(sim.files, dir)!,
        segment,
        base: 2 as Position,
        epoch: 9,
        sequence: 9,
        created: 0,
      }),
      segment,
    ),
  );
  sim.writeFile(`${logDir}/left.tmp`, bytesOf("x"));
  const before = imageOf(sim);
  assert.throws(() => new Trial(sim), (problem) => {
    return problem instanceof NewerFormat && problem.message.includes(name) && /later version/.test(problem.message);
  });
  assert.deepEqual(imageOf(sim), before);
});

function started(sim: SimWorld, node: string): SegmentWriter {
  const { mark } = new Trial(new SimWorld(5));
  const options = {
    segmentBytes: 8192,
    reserveBytes: 0,
    recycle: false,
    destinations: () => new Map(),
    report: () => {},
  };
  return new SegmentWriter(sim.boot(), dir, node, mark, options);
}

Deno.test("a number in a small file is kept, and is 0 when it is lost or any bit of it is flipped", () => {
  const sim = new SimWorld(1);
  assert.equal(readNumber(sim.files, "data/low"), 0);
  sim.writeFile("data/low", bytesOf("old"));
  for (const value of [0, 1, 42, 999_999_999_999_999]) {
    writeNumber(sim.files, "data/low", value);
    assert.equal(readNumber(sim.files, "data/low"), value);
    assert.deepEqual(sim.fileBytes("data/low"), line("low", String(value)));
  }
  const bits = sim.fileBytes("data/low").length * 8;
  for (let bit = 0; bit < bits; bit++) {
    sim.flipByte("data/low", bit >> 3, bit & 7);
    assert.equal(readNumber(sim.files, "data/low"), 0);
    sim.flipByte("data/low", bit >> 3, bit & 7);
  }
  sim.copyFile("data/low", "data/epoch");
  assert.equal(readNumber(sim.files, "data/epoch"), 0, "another file's number is none");
});

Deno.test("segments are listed by base, and nothing else is", () => {
  const sim = new SimWorld(1);
  const names = [segmentName(100, "00000000000000aa"), segmentName(9, "00000000000000bb")];
  for (const name of [...names, `${names[0]}.del`, "a.tmp", "ballast", "b.spare", "notes.txt"]) {
    sim.writeFile(`${logDir}/${name}`, new Uint8Array(0));
  }
  assert.deepEqual(listSegments(sim.files, logDir), [names[1], names[0]]);
});

Deno.test("leftovers go by their endings, and one that will not go is no reason to stop", () => {
  const sim = new SimWorld(1);
  for (const name of ["a.tmp", "b.tmp", "c.del", "d.seg"]) sim.writeFile(`${logDir}/${name}`, new Uint8Array(0));
  sim.failNth(1, "EIO", { kinds: ["remove"] });
  removeLeftovers(sim.files, logDir, [".tmp", ".del"]);
  assert.deepEqual(sim.filesUnder(logDir), [`${logDir}/a.tmp`, `${logDir}/d.seg`]);
});

Deno.test("P9: places that were missing from an old directory survive a power cut", () => {
  for (let seed = 0; seed < 30; seed++) {
    const sim = new SimWorld(seed);
    sim.writeFile("data/node", line("node", "0123456789abcdef"));
    claimDirectory(sim.boot(), dir, "me");
    sim.cutPower();
    for (const place of ["log", "cursors", "dead", "quarantine"]) assert.ok(sim.files.exists(`data/${place}`), place);
  }
});

Deno.test("a file that says no node's id says none, though its checksum is right", () => {
  const sim = new SimWorld(1);
  for (const text of ["", "0123456789abcde", "0123456789abcdeF", "00123456789abcdef"]) {
    sim.writeFile("data/node", line("node", text));
    assert.equal(nodeInFile(sim.files, dir), undefined, text);
  }
});

Deno.test("the checksum of a line has eight digits, whatever the value", () => {
  const sim = new SimWorld(1);
  sim.writeFile("data/low", bytesOf("old"));
  for (let value = 0; value < 100; value++) {
    writeNumber(sim.files, "data/low", value);
    assert.deepEqual(sim.fileBytes("data/low"), line("low", String(value)));
  }
});

Deno.test("P11: a number that cannot be read for want of handles is not taken for 0", () => {
  const sim = new SimWorld(1);
  sim.writeFile("data/low", line("low", "42"));
  sim.failNth(1, "EMFILE");
  assert.throws(() => readNumber(sim.files, "data/low"), { code: "EMFILE" });
  sim.failNth(1, "EIO");
  assert.equal(readNumber(sim.files, "data/low"), 0, "a disk that does not give it any more");
});

Deno.test("who looks for a node's id among the segments leaves none of them open", async () => {
  const sim = await withMessages();
  sim.files.remove("data/node");
  assert.match(nodeOf(sim.files, dir)!, /^[0-9a-f]{16}$/);
  assert.equal(sim.openHandles, 0);
});

Deno.test("a mistake of our own while leftovers are removed is not hidden", () => {
  const sim = new SimWorld(1);
  sim.writeFile(`${logDir}/a.tmp`, new Uint8Array(0));
  sim.watch = (call) => {
    if (call === "remove") throw new TypeError("a mistake");
  };
  assert.throws(() => removeLeftovers(sim.files, logDir, [".tmp"]), TypeError);
});
