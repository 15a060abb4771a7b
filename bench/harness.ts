/** What every question shares: alternating rounds, and numbers with their spread. */

/** One of the things compared. */
export interface Subject<Measurement> {
  readonly name: string;
  readonly measure: (durationSeconds: number) => Promise<Measurement>;
}

export interface RoundOptions {
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly roundSeconds: number;
}

/** The middle of several measurements, and between which they lay. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Warms every subject up, then measures them in turn, A B A B, so that a machine that slows down slows all of them.
 * Resolves with the rounds of each subject, in the order of the subjects.
 */
export async function alternate<Measurement>(
  subjects: readonly Subject<Measurement>[],
  { warmUpSeconds, rounds, roundSeconds }: RoundOptions,
): Promise<Measurement[][]> {
  if (warmUpSeconds > 0) for (const { measure } of subjects) await measure(warmUpSeconds);
  const measurements: Measurement[][] = subjects.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, { measure }] of subjects.entries()) measurements[index]!.push(await measure(roundSeconds));
  }
  return measurements;
}

/** The value that `share` (0 to 1) of all values do not exceed; of at least one value. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const median = (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** `median (min–max)`. */
export function formatSpread({ median, min, max }: Spread, digits: number): string {
  const format = (value: number) => value.toFixed(digits);
  return `${format(median)} (${format(min)}–${format(max)})`;
}
