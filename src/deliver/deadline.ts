/** A signal that aborts with another one, or when its time is up. */
import type { Clock } from "../os/world.ts";

export interface Deadline {
  readonly signal: AbortSignal;
  /** Ends the wait for the time; the signal then aborts no more. */
  clear(): void;
}

export function deadlineAfter(clock: Clock, ms: number, outer: AbortSignal): Deadline {
  const limit = new AbortController();
  const timer = new AbortController();
  const onOuter = () => limit.abort(outer.reason);
  if (outer.aborted) onOuter();
  outer.addEventListener("abort", onOuter, { once: true });
  void clock.sleep(ms, timer.signal).then(() => {
    if (!timer.signal.aborted) limit.abort(new DOMException(`No answer within ${ms} ms`, "TimeoutError"));
  });
  return {
    signal: limit.signal,
    clear() {
      outer.removeEventListener("abort", onOuter);
      timer.abort();
    },
  };
}
