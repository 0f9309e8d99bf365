/** What `/metrics` answers: the Prometheus text format, version 0.0.4. */
import { verdicts } from "../log/mod.ts";
import { destinationStatus, type NodeFacts, nodeState, stateOf } from "./status.ts";
import { type DestinationCell, destinationStates, type NodeCell, nodeStates } from "./table.ts";

export const metricsType = "text/plain; version=0.0.4; charset=utf-8";

type Labels = Readonly<Record<string, string>>;
interface Sample {
  readonly labels: Labels;
  readonly value: number;
}
interface Family {
  /** Without the "sparkngin_" that all have in front. */
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: readonly Sample[];
}

export function renderMetrics(facts: NodeFacts): string {
  return [...nodeFamilies(facts), ...zeromqFamilies(facts), ...destinationFamilies(facts)].map(render).join("");
}

/** Of the node: metric, type, help, cell, and what its unit is to be divided by. */
const nodeMetrics: readonly (readonly [string, Family["type"], string, NodeCell, number?])[] = [
  ["messages_accepted_total", "counter", "Messages accepted since start.", "accepted"],
  ["accepted_bytes_total", "counter", "Bytes of the messages accepted since start.", "acceptedBytes"],
  ["requests_total", "counter", "Requests answered since start.", "requests"],
  ["requests_refused_total", "counter", "Requests refused as faulty (4xx) since start.", "refused"],
  ["requests_denied_total", "counter", "Of those, for want of a key or a scope (401, 403).", "denied"],
  ["requests_limited_total", "counter", "Of those, by a rate limit or a quota (429).", "limited"],
  [
    "requests_repeated_total",
    "counter",
    "Requests under an Idempotency-Key that came again: answered, not stored.",
    "repeated",
  ],
  ["messages_repeated_total", "counter", "Messages left out since start: their ids came before.", "known"],
  ["messages_diverted_total", "counter", "Bad lines taken as bad rows (on_bad=divert) since start.", "diverted"],
  ["requests_unavailable_total", "counter", "Requests turned away (503) since start.", "unavailable"],
  ["log_commits_total", "counter", "Commits of the log since start.", "commits"],
  ["log_syncs_total", "counter", "Syncs of the log since start.", "syncs"],
  ["log_sync_seconds_total", "counter", "Time spent in syncs of the log since start.", "syncMicros", 1e6],
  ["log_bytes", "gauge", "Disk space the log takes.", "logBytes"],
  ["log_free_bytes", "gauge", "Disk space left for the log.", "freeBytes"],
  ["log_start_position", "gauge", "Position of the oldest message in the log.", "start"],
  ["log_end_position", "gauge", "Position after the newest message in the log.", "durable"],
  ["log_durable_position", "gauge", "Position up to which the log would survive a power cut.", "durable"],
  ["pipe_messages_accepted_total", "counter", "Of the messages accepted, those by named pipes.", "pipeAccepted"],
  ["pipe_messages_refused_total", "counter", "Lines of named pipes that were refused.", "pipeRefused"],
  [
    "pipe_messages_dropped_total",
    "counter",
    "Messages that came by named pipes while the log took none.",
    "pipeDropped",
  ],
  ["zeromq_connections", "gauge", "Connections to intake over ZeroMQ.", "zeromqConnections"],
  ["zeromq_messages_accepted_total", "counter", "Of the messages accepted, those over ZeroMQ.", "zeromqAccepted"],
  [
    "zeromq_messages_dropped_total",
    "counter",
    "Messages that came over ZeroMQ while the log took none: of a publisher, or not confirmed to their senders.",
    "zeromqDropped",
  ],
  ["epoch", "gauge", "Number of starts of this node.", "epoch"],
];

/** Over ZeroMQ: why messages were refused, and why connections were closed. */
const zeromqRefusals: readonly (readonly [string, NodeCell])[] = [
  ["bad", "zeromqBad"],
  ["too-large", "zeromqLong"],
  ["too-many-topics", "zeromqTopics"],
];
const zeromqClosures: readonly (readonly [string, NodeCell])[] = [
  ["protocol", "zeromqProtocol"],
  ["too-large", "zeromqTooLarge"],
  ["too-slow", "zeromqTooSlow"],
  ["too-many", "zeromqTooMany"],
];

function zeromqFamilies({ table }: NodeFacts): Family[] {
  const byReason = (name: string, help: string, reasons: typeof zeromqRefusals): Family => {
    const samples = reasons.map(([reason, cell]) => ({ labels: { reason }, value: table.get(cell) }));
    return { name: `zeromq_${name}`, type: "counter", help, samples };
  };
  return [
    byReason("messages_refused_total", "Messages over ZeroMQ refused since start, by reason.", zeromqRefusals),
    byReason(
      "connections_closed_total",
      "ZeroMQ connections of intake closed by us since start, by reason.",
      zeromqClosures,
    ),
  ];
}

function nodeFamilies(facts: NodeFacts): Family[] {
  const { table, version, node, now, started, residentBytes } = facts;
  const state = nodeState(table);
  const families = [
    single("info", "Version and node, in the labels.", 1, { version, node }),
    single("ready", "1 when requests are taken, 0 when they would get a 503.", state === "ready" ? 1 : 0),
    single("uptime_seconds", "Time since start.", Math.max(0, now - started) / 1000),
    states("state", "1 for the state the node is in.", nodeStates, [{ labels: {}, state }]),
    ...reloadFamilies(facts),
    ...nodeMetrics.map(([name, type, help, cell, unit = 1]): Family => ({
      name,
      type,
      help,
      samples: [{ labels: {}, value: table.get(cell) / unit }],
    })),
  ];
  if (residentBytes === undefined) return families;
  return [...families, single("resident_memory_bytes", "Memory the process takes.", residentBytes)];
}

function reloadFamilies({ reload, reloads = { ok: 0, failed: 0 } }: NodeFacts): Family[] {
  const samples = Object.entries(reloads).map(([result, value]) => ({ labels: { result }, value }));
  const well = reload === undefined || reload.ok ? 1 : 0;
  const waiting = reload?.needsRestart.length ?? 0;
  return [
    { name: "config_reloads_total", type: "counter", help: "Times the configuration was read again.", samples },
    single("config_reload_successful", "0 when the configuration as it is written was refused.", well),
    single("config_keys_waiting", "Keys whose new values wait for a restart.", waiting),
  ];
}

/** Of each destination: metric, type, help, cell, and what its unit is to be divided by. */
const destinationMetrics: readonly (readonly [string, Family["type"], string, DestinationCell, number?])[] = [
  ["position", "gauge", "Position up to which the destination is done.", "position"],
  ["durable_position", "gauge", "Position the destination would go on from after a power cut.", "durable"],
  ["generation", "gauge", "Number of the destination's generation: a rewind starts a new one.", "generation"],
  ["tries", "gauge", "Tries of the batch under way that failed.", "tries"],
  [
    "held_messages",
    "gauge",
    "Messages that the destination refuses and that wait, because it refuses too many.",
    "held",
  ],
  ["ahead_position", "gauge", "Position up to which other topics than the stalled ones are delivered.", "ahead"],
  ["stalled_topics", "gauge", "Topics that wait while others go on.", "stalled"],
  ["stalled_messages", "gauge", "Messages of topics that wait while others go on.", "waiting"],
  ["batch_messages", "gauge", "Messages it gets at once, at most: fewer where it said that it is too much.", "atOnce"],
  ["throttled_total", "counter", "Times the destination said that it is too much, since start.", "throttles"],
  [
    "rate_limited_seconds_total",
    "counter",
    "Time messages were held back by rate_limit and rate_limit_bytes since start.",
    "cappedMicros",
    1e6,
  ],
  ["restarts_total", "counter", "Restarts of the destination's thread since start.", "restarts"],
  ["batches_total", "counter", "Batches sent since start.", "batches"],
  ["sent_bytes_total", "counter", "Bytes sent since start.", "bytes"],
  ["send_seconds_total", "counter", "Time spent sending since start.", "sendMicros", 1e6],
  ["dead_letter_bytes", "gauge", "Disk space the dead letters take.", "deadBytes"],
];

function destinationFamilies(facts: NodeFacts): Family[] {
  const all = facts.destinations.map((destination) => ({
    labels: { destination: destination.name, kind: destination.kind },
    cells: facts.table.destination(destination.number),
    status: destinationStatus(facts, destination),
  }));
  if (all.length === 0) return [];
  const gauge = (name: string, help: string, value: (one: typeof all[number]) => number): Family => {
    const samples = all.map((one) => ({ labels: one.labels, value: value(one) }));
    return { name: `destination_${name}`, type: "gauge", help, samples };
  };
  const messages = all.flatMap(({ labels, status }) =>
    verdicts.map((verdict) => ({ labels: { ...labels, verdict }, value: status[verdict] }))
  );
  return [
    {
      name: "destination_messages_total",
      type: "counter",
      help: "Messages the destination is done with, by verdict, in its latest generation.",
      samples: messages,
    },
    gauge("pending_messages", "Messages in the log the destination is not done with.", ({ status }) => status.pending),
    gauge(
      "backlog_bytes",
      "Bytes of the log that wait for the destination, about.",
      ({ status }) => status.backlog_bytes,
    ),
    gauge(
      "lag_seconds",
      "How long the oldest message under way has waited since its commit; 0 when none waits.",
      ({ status }) => status.lag_s,
    ),
    gauge("conserved", "1 when every position has exactly one verdict.", ({ status }) => status.conserved ? 1 : 0),
    ...destinationMetrics.map(([name, type, help, cell, unit = 1]): Family => ({
      name: `destination_${name}`,
      type,
      help,
      samples: all.map(({ labels, cells }) => ({ labels, value: cells.get(cell) / unit })),
    })),
    states(
      "destination_state",
      "1 for the state the destination is in; unattended: nobody subscribes to it, and nothing is wrong.",
      destinationStates,
      all.map(({ labels, cells }) => ({ labels, state: stateOf(cells) })),
    ),
  ];
}

function single(name: string, help: string, value: number, labels: Labels = {}): Family {
  return { name, type: "gauge", help, samples: [{ labels, value }] };
}

/** One sample for each state it could be in: 1 for the one it is in. */
function states(
  name: string,
  help: string,
  known: readonly string[],
  now: readonly { labels: Labels; state: string }[],
): Family {
  const samples = now.flatMap(({ labels, state }) =>
    known.map((one) => ({ labels: { ...labels, state: one }, value: one === state ? 1 : 0 }))
  );
  return { name, type: "gauge", help, samples };
}

function render({ name, type, help, samples }: Family): string {
  const full = `sparkngin_${name}`;
  const lines = samples.map(({ labels, value }) => `${full}${renderLabels(labels)} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
