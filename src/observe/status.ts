/** What `/status` answers: in full to the operator, in short to everybody. */
import { backlogBytes } from "./backlog.ts";
import { type Counts, type Verdict, verdicts } from "../log/mod.ts";
import {
  type DestinationCells,
  type DestinationState,
  destinationStates,
  type NodeState,
  nodeStates,
  type Table,
} from "./table.ts";

/** All that is to be known of a running node: the shared table, and what does not fit into it. */
export interface NodeFacts {
  readonly version: string;
  /** 16 hex digits. */
  readonly node: string;
  readonly table: Table;
  readonly destinations: readonly DestinationFacts[];
  /** Wall time now, and when the process started, in ms. */
  readonly now: number;
  readonly started: number;
  readonly residentBytes?: number;
  /** Nothing while the configuration is as it was read at the start. */
  readonly reload?: ReloadFacts | undefined;
  readonly reloads?: { readonly ok: number; readonly failed: number };
}
/** What came of the last reading of the configuration. */
export interface ReloadFacts {
  /** Wall time, ms. */
  readonly at: number;
  readonly ok: boolean;
  /** What has changed, or why nothing has. */
  readonly text: string;
  /** Keys whose new values wait for a restart. */
  readonly needsRestart: readonly string[];
}
export interface DestinationFacts {
  /** In the table. */
  readonly number: number;
  readonly name: string;
  readonly kind: string;
  readonly required: boolean;
  /** Empty when all is well. */
  readonly lastError: string;
}

export interface DestinationStatus extends Counts {
  readonly name: string;
  readonly kind: string;
  readonly state: DestinationState;
  readonly position: number;
  readonly pending: number;
  /** Of the log, about: what waits for it. */
  readonly backlog_bytes: number;
  readonly lag_s: number;
  readonly tries: number;
  /** Refused, and waiting because too many are. */
  readonly held: number;
  /** Everything before it is delivered, but for the messages of topics that wait. */
  readonly ahead: number;
  /** How many topics wait while others go on, and how many messages of theirs. */
  readonly stalled_topics: number;
  readonly stalled_messages: number;
  /** How many messages it gets at once, at most: fewer than `batch` after it said that it is too much. */
  readonly at_once: number;
  /** How often it said so since the start. */
  readonly throttled: number;
  /** It could have more, and is sent no more by its rate_limit. */
  readonly rate_limited: boolean;
  readonly last_error: string;
  /** What an operator may wonder about, though nothing is wrong; empty when there is nothing. */
  readonly remark: string;
  readonly required: boolean;
  readonly generation: number;
  readonly start: number;
  /** Every position from `start` to `ahead` has exactly one verdict, but for those that wait. */
  readonly conserved: boolean;
}
/** What came in by named pipes since the start. */
export interface PipeStatus {
  readonly accepted: number;
  readonly refused: number;
  /** While the log took none. */
  readonly dropped: number;
}
/** What came in over ZeroMQ since the start. */
export interface ZeromqStatus {
  readonly connections: number;
  readonly accepted: number;
  readonly refused: { readonly bad: number; readonly too_large: number; readonly too_many_topics: number };
  readonly dropped: number;
  /** Connections that we ended, by why. */
  readonly closed: {
    readonly protocol: number;
    readonly too_large: number;
    readonly too_slow: number;
    readonly too_many: number;
  };
}
export interface Status {
  readonly version: string;
  readonly node: string;
  readonly epoch: number;
  readonly uptime_s: number;
  readonly ready: boolean;
  readonly accepted: number;
  readonly log: {
    readonly start: number;
    readonly end: number;
    readonly durable: number;
    readonly bytes: number;
    readonly free_bytes: number;
  };
  /** Of the last reload; left out before the first. */
  readonly reload?: ReturnType<typeof reloadStatus>;
  readonly zeromq: ZeromqStatus;
  readonly pipes: PipeStatus;
  readonly destinations: readonly DestinationStatus[];
}
export interface PublicStatus extends Pick<Status, "version" | "uptime_s" | "ready" | "accepted"> {
  readonly destinations: readonly Pick<DestinationStatus, "name" | "state">[];
}

export function fullStatus(facts: NodeFacts): Status {
  const { table, version, node, destinations } = facts;
  const durable = table.get("durable");
  return {
    version,
    node,
    epoch: table.get("epoch"),
    uptime_s: uptime(facts),
    ready: nodeState(table) === "ready",
    accepted: table.get("accepted"),
    log: {
      start: table.get("start"),
      // Intake writes and syncs within one turn: whoever looks from another thread sees nothing between the two.
      end: durable,
      durable,
      bytes: table.get("logBytes"),
      free_bytes: table.get("freeBytes"),
    },
    ...(facts.reload && { reload: reloadStatus(facts.reload) }),
    zeromq: zeromqStatus(table),
    pipes: {
      accepted: table.get("pipeAccepted"),
      refused: table.get("pipeRefused"),
      dropped: table.get("pipeDropped"),
    },
    destinations: destinations.map((destination) => destinationStatus(facts, destination)),
  };
}

function zeromqStatus(table: Table): ZeromqStatus {
  return {
    connections: table.get("zeromqConnections"),
    accepted: table.get("zeromqAccepted"),
    refused: {
      bad: table.get("zeromqBad"),
      too_large: table.get("zeromqLong"),
      too_many_topics: table.get("zeromqTopics"),
    },
    dropped: table.get("zeromqDropped"),
    closed: {
      protocol: table.get("zeromqProtocol"),
      too_large: table.get("zeromqTooLarge"),
      too_slow: table.get("zeromqTooSlow"),
      too_many: table.get("zeromqTooMany"),
    },
  };
}

/** As `/status` and `/reload` tell it. */
export function reloadStatus({ at, ok, text, needsRestart }: ReloadFacts) {
  return { at: new Date(at).toISOString(), ok, text, needs_restart: needsRestart };
}

/** Without names of hosts, errors and sizes: what strangers may see. */
export function publicStatus(facts: NodeFacts): PublicStatus {
  const { table, version, destinations } = facts;
  return {
    version,
    uptime_s: uptime(facts),
    ready: nodeState(table) === "ready",
    accepted: table.get("accepted"),
    destinations: destinations.map(({ name, number }) => ({ name, state: stateOf(table.destination(number)) })),
  };
}

/** Why a request would be turned away now, or nothing. */
export function notReady(table: Table): string | undefined {
  const state = nodeState(table);
  return state === "ready" ? undefined : reasons[state];
}

const reasons: Readonly<Record<NodeState, string>> = {
  starting: "starting: the log is not open yet",
  ready: "ready",
  full: "full: there is no room for the log",
  exhausted: "exhausted: the system has no files or no memory left for the log",
  stopped: "stopped: the disk failed, and only a restart can tell what it holds",
  stopping: "stopping",
};

export function nodeState(table: Table): NodeState {
  return nodeStates[table.get("state")] ?? "stopped";
}

const unattended =
  "nobody subscribes: the newest messages wait for somebody, older ones are overwritten; nothing is wrong";

export function stateOf(cells: DestinationCells): DestinationState {
  return destinationStates[cells.get("state")] ?? "stopped";
}

export function destinationStatus(facts: NodeFacts, destination: DestinationFacts): DestinationStatus {
  const { number, name, kind, required, lastError } = destination;
  const cells = facts.table.destination(number);
  const { position, ahead, waiting, start, counts, conserved } = balance(cells);
  // Read after the position, so that a busy destination is never ahead of the log.
  const pending = Math.max(0, facts.table.get("durable") - ahead) + waiting;
  return {
    name,
    kind,
    state: stateOf(cells),
    position,
    pending,
    backlog_bytes: Math.round(backlogBytes(facts, number)),
    ...counts,
    // What waits in case somebody comes is late for nobody.
    lag_s: pending > 0 && cells.get("alone") === 0 ? lag(facts, cells.get("since")) : 0,
    tries: cells.get("tries"),
    held: cells.get("held"),
    ahead,
    stalled_topics: cells.get("stalled"),
    stalled_messages: waiting,
    at_once: cells.get("atOnce"),
    throttled: cells.get("throttles"),
    rate_limited: cells.get("capped") === 1,
    last_error: lastError,
    remark: stateOf(cells) === "unattended" ? unattended : "",
    required,
    generation: cells.get("generation"),
    start,
    conserved,
  };
}

interface Balance {
  readonly position: number;
  readonly ahead: number;
  readonly waiting: number;
  readonly start: number;
  readonly counts: Counts;
  readonly conserved: boolean;
}

/**
 * A destination writes its cells one by one while we read: a sum that does not fit may be a step half written, so it counts
 * only when it stays.
 */
function balance(cells: DestinationCells): Balance {
  let found = balanceNow(cells);
  for (let looks = 0; looks < 1000 && !found.conserved; looks++) found = balanceNow(cells);
  return found;
}

function balanceNow(cells: DestinationCells): Balance {
  const { position, counts } = cells;
  const start = cells.get("generationStart");
  const ahead = Math.max(position, cells.get("ahead"));
  const waiting = cells.get("waiting");
  const conserved = start + sum(counts) + waiting === ahead && cells.position === position;
  return { position, ahead, waiting, start, counts, conserved };
}

function sum(counts: Counts): number {
  return verdicts.reduce((total: number, verdict: Verdict) => total + counts[verdict], 0);
}

/** How long the oldest message under way has waited. Before the first one: as long as we run, which is the least it can be. */
function lag({ now, started }: NodeFacts, since: number): number {
  return Math.max(0, now - (since || started)) / 1000;
}

function uptime({ now, started }: NodeFacts): number {
  return Math.max(0, Math.floor((now - started) / 1000));
}
