/** Whether a request would be taken now: what balancers ask. */
import { LogExhausted, LogFull, type LogWriter } from "../log/mod.ts";
import { type NodeState, nodeStates, type Table } from "../observe/table.ts";
import type { Gate } from "./gate.ts";
import { type Answer, text } from "./http.ts";
import { type Problem, problemAnswer } from "./problem.ts";

/** Not ready exactly when a request would get 503: where no commit of late has shown that the log works, one is made. */
export async function readiness(table: Table, log: LogWriter, gate: Gate | undefined): Promise<Answer> {
  const state = nodeStates[table.get("state")]!;
  if (state === "starting" || state === "stopping") return problemAnswer(notReady[state]);
  try {
    await log.probe();
    const closed = gate?.closed;
    return closed === undefined ? text("ready\n") : problemAnswer(closed);
  } catch (problem) {
    if (problem instanceof LogExhausted) return problemAnswer(notReady.exhausted);
    return problemAnswer(problem instanceof LogFull ? notReady.full : notReady.stopped);
  }
}

const notReady: Readonly<Record<Exclude<NodeState, "ready">, Problem>> = {
  starting: { code: "starting", detail: "The log is being read; messages are taken soon" },
  full: { code: "disk-full", detail: "There is no room for messages now" },
  exhausted: { code: "system-exhausted", detail: "The system lacks files or memory now" },
  stopped: { code: "log-stopped", detail: "The log takes no messages now" },
  stopping: { code: "stopping", detail: "This server is going away" },
};
