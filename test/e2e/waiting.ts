/** Waiting in tests: for something to become true, with a limit that only says that nothing hangs for ever. */

export const hangMs = 60_000;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

type Found<T> = Exclude<T, false | null | undefined>;

/** The first value of `look` that is neither false nor undefined; what it throws counts as "not yet". */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  limitMs = hangMs,
): Promise<Found<T>> {
  const begin = performance.now();
  for (let trouble: unknown;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== null && found !== false) return found as Found<T>;
    } catch (problem) {
      trouble = problem;
    }
    if (performance.now() - begin > limitMs) throw new Error(`Waited ${limitMs} ms for: ${what}`, { cause: trouble });
    await pause(25);
  }
}

/** Rejects, with what `explain` says, when `promise` takes longer than the limit. */
export async function within<T>(what: string, promise: Promise<T>, explain = () => "", limitMs = hangMs): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${limitMs} ms for: ${what}\n${explain()}`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
