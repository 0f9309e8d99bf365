/** How long to wait before the next try: doubling from 100 ms to 30 s, half of it by chance so that many don't come together. */
const firstMs = 100;
const mostMs = 30_000;

export function pauseAfter(tries: number, random: () => number): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(tries, 20));
  return full / 2 + random() * full / 2;
}
