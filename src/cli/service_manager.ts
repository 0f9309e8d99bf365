/**
 * [shell] What a service manager is told (the protocol of sd_notify): ready, stopping, and by and by that we are alive. Where
 * nobody asks for it, nothing happens; where it cannot be said, the node runs all the same.
 */

export interface ServiceManager {
  ready(status: string): void;
  stopping(): void;
  /** Says "alive" as often as asked for, while `alive` holds and until `signal` aborts: silence gets us started again. */
  watch(alive: () => boolean, signal: AbortSignal): void;
}

/** `report` hears, once, why it cannot be told. */
export function openServiceManager(
  env: Readonly<Record<string, string | undefined>>,
  report: (text: string) => void,
): ServiceManager {
  const say = speaker(env, report);
  return {
    ready: (status) => say(`READY=1\nSTATUS=${status}`),
    stopping: () => say("STOPPING=1\nSTATUS=stopping"),
    watch(alive, signal) {
      const everyMs = watchdogMs(env) / 2;
      if (everyMs === 0) return;
      const timer = setInterval(() => alive() && say("WATCHDOG=1"), everyMs);
      signal.addEventListener("abort", () => clearInterval(timer), { once: true });
    },
  };
}

/** How long we may be silent; 0 when nobody minds, or when it is another process that is meant. */
export function watchdogMs(env: Readonly<Record<string, string | undefined>>, pid: number = Deno.pid): number {
  const asked = Number(env.WATCHDOG_USEC);
  const ours = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === pid;
  return ours && Number.isSafeInteger(asked) && asked > 0 ? asked / 1000 : 0;
}

function speaker(
  env: Readonly<Record<string, string | undefined>>,
  report: (text: string) => void,
): (text: string) => void {
  const path = env.NOTIFY_SOCKET;
  if (!path) return () => {};
  let socket: Deno.DatagramConn | undefined;
  let silent = false;
  const failed = (problem: unknown) => {
    if (!silent) report(`cannot tell the service manager how we are: ${(problem as Error).message}`);
    silent = true;
  };
  let last = Promise.resolve();
  const send = async (text: string) => {
    socket ??= openSocket(env);
    await socket.send(new TextEncoder().encode(text), { transport: "unixpacket", path });
  };
  // One after the other: the manager goes by the order.
  return (text) => {
    if (!silent) last = last.then(() => send(text)).catch(failed);
  };
}

/** Who sends a datagram has to have a name, and only while the socket is made: nothing stays behind. */
function openSocket(env: Readonly<Record<string, string | undefined>>): Deno.DatagramConn {
  const parent = env.RUNTIME_DIRECTORY?.split(":")[0];
  const dir = Deno.makeTempDirSync({ prefix: "notify-", ...(parent && { dir: parent }) });
  try {
    return Deno.listenDatagram({ transport: "unixpacket", path: `${dir}/socket` });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}
