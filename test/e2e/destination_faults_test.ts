/** Every kind of destination × every fault that means something to it, from HTTP to the real system. */
import { missing as missingJava, products } from "../services/elasticsearch.ts";
import { missing as missingKafka } from "../services/kafka.ts";
import { missing as missingSyslog } from "../services/syslog.ts";
import { examineRow, found, type Row } from "./destination_faults.ts";
import { table } from "./fault_figures.ts";
import { datagrams, datagramsPerStep } from "./fault_datagrams.ts";
import { files } from "./fault_files.ts";
import * as peers from "./fault_peers.ts";
import { pushes } from "./fault_pushes.ts";
import { type Cell, certificate, expiring, killed, nameGone, network, onNode } from "./ways.ts";

const java = missingJava();
const needsJava = java === undefined ? "" : ` (needs ${java})`;
const needsRsyslog = await missingSyslog("rsyslog");

const resets = /reset|closed|broken|ended|lost|refused|in time|EPIPE/i;
const silent = /no answer|no progress|in time|within|timed out/i;
const expired = /certificate has expired/;

const onNetwork: readonly Cell[] = [
  network("refused", "refused", resets),
  network("reset in mid-batch", "cut", resets),
  network("half-open", "half-open", silent),
  network("silence on an old connection", "silence"),
  network("1 byte a second", "slow", silent),
  network("never reads", "never reads", silent),
  network("garbage", "garbage", /: ./),
];
const onAnswers: readonly Cell[] = [
  network("never answers", "never answers", silent),
  network("reset instead of the answer", "answer lost", resets),
];
const onNames = nameGone("name gone", /does not resolve/);
const onCertificates: readonly Cell[] = [
  certificate("certificate expired", "expired", expired),
  expiring("certificate expires while connected", expired),
  certificate("certificate of another host", "elsewhere", /name|host/i),
];

const tcp = [...onNetwork, onNames];
/** To whom nobody answers, silence and nonsense are nothing to speak of. */
const unanswered = tcp.map((cell) => cell.says === resets || cell === onNames ? cell : { ...cell, says: undefined });
const http = [...tcp, ...onAnswers, ...onCertificates];

const networked = ([
  { name: "webhook", ...peers.hook(), common: http },
  ...products.map((product) => ({ name: product, lacks: needsJava, ...peers.elastic(product), common: http })),
  { name: "syslog over TCP", lacks: needsRsyslog, ...peers.syslog("tcp"), common: unanswered },
  { name: "syslog over TLS", lacks: needsRsyslog, ...peers.syslog("tls"), common: [...tcp, ...onCertificates] },
  { name: "Kafka", lacks: missingKafka(), ...peers.kafka(), common: http },
] as const).map(({ common, cells, ...row }): Row => ({ ...row, cells: [...common, ...cells, killed, ...onNode] }));
const rows: readonly Row[] = [
  ...networked,
  { name: "syslog over UDP", lacks: needsRsyslog, perStep: datagramsPerStep, ...datagrams() },
  pushes(),
  files(),
];
for (const row of rows) examineRow(row);
Deno.test.afterAll(() => console.log(`accepted / delivered / copies\n${table(rows, found)}`));
