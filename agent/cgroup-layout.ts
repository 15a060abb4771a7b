/** What tells version 1 of control groups (one folder a controller) from version 2 (one folder for all). */
export interface CgroupLayout {
  /** Existing groups, one for each hierarchy, below which ours are made. */
  readonly parents: readonly string[];
  /** Makes a group below one of `parents` able to hold limited groups. Throws where that cannot be. */
  prepare(base: string): void;
  /**
   * Limits a group, given by its folder in each hierarchy: `memoryBytes` on top of what it uses now, `cpuMillicores` of
   * all its processes together.
   */
  limit(paths: readonly string[], memoryBytes: number, cpuMillicores: number): void;
}

export const CPU_PERIOD_MICROS = 100_000;
const LEAST_CPU_QUOTA_MICROS = 1_000;

/** Microseconds of processor time in each CPU_PERIOD_MICROS. */
export function cpuQuotaMicros(cpuMillicores: number): number {
  return Math.max(LEAST_CPU_QUOTA_MICROS, Math.round((cpuMillicores * CPU_PERIOD_MICROS) / 1000));
}

/** The group of this process in each hierarchy, from lines `4:memory:/path`; version 2 is the controller ''. */
export function parseOwnGroups(text: string): Readonly<Record<string, string>> {
  const groups: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, controllers = '', ...path] = line.split(':');
    for (const controller of controllers.split(',')) if (line !== '') groups[controller] = path.join(':');
  }
  return groups;
}
