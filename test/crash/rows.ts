/** All kinds of faults that are done to the real executable, by number. */
import type { Row } from "./row.ts";
import { row as backlog } from "./rows/backlog.ts";
import { row as clock } from "./rows/clock.ts";
import { row as directory } from "./rows/directory.ts";
import { row as diskError } from "./rows/disk_error.ts";
import { row as diskFull } from "./rows/disk_full.ts";
import { row as golden } from "./rows/golden.ts";
import { row as kafkaCluster } from "./rows/kafka_cluster.ts";
import { row as kill } from "./rows/kill.ts";
import { row as memoryCap } from "./rows/memory_cap.ts";
import { row as openFiles } from "./rows/open_files.ts";
import { row as powerCut } from "./rows/power_cut.ts";
import { row as signals } from "./rows/signals.ts";
import { row as slowDisk } from "./rows/slow_disk.ts";

export const rows: readonly Row[] = [
  kill,
  powerCut,
  diskError,
  diskFull,
  slowDisk,
  clock,
  kafkaCluster,
  backlog,
  memoryCap,
  openFiles,
  directory,
  golden,
  signals,
];
