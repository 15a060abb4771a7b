import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

export interface LogOptions {
  /** Least severity that is written. */
  readonly level: string;
  /** A person reads: short lines instead of JSON. Left out: whether standard error is a terminal. */
  readonly isTerminal?: boolean;
  /** Where lines go; left out: standard error. */
  readonly destination?: DestinationStream;
}

/** What is never written, where it stands in a logged object or in one that this holds directly. */
const SECRETS = ['token', 'password', 'secret', 'authorization', 'x-auth-token', 'x-subject-token', 'cookie'];
const REDACTED_PATHS = SECRETS.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.headers["${name}"]`]);

/**
 * The root logger: JSON lines on standard error, written before the call returns, so that a dying process loses none.
 * Parts take `child({ part: 'name' })`. The door to pino.
 */
export function openLog(options: LogOptions): Logger {
  const isTerminal = options.isTerminal ?? (options.destination === undefined && process.stderr.isTTY);
  const destination = options.destination ?? pino.destination({ dest: 2, sync: true });
  return pino(
    {
      level: options.level,
      base: { pid: process.pid },
      redact: { paths: REDACTED_PATHS, censor: '[secret]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    isTerminal ? { write: (line: string) => destination.write(describeLine(line)) } : destination,
  );
}

/** The level that `[DEFAULT] log_level` and `debug` ask for together. */
export function logLevelOf(options: { readonly logLevel: string; readonly debug: boolean }): string {
  return options.debug && options.logLevel !== 'trace' ? 'debug' : options.logLevel;
}

interface Line {
  readonly time: string;
  readonly level: string;
  readonly pid: number;
  readonly msg?: string;
  readonly part?: string;
  readonly err?: { readonly stack?: string };
  readonly [field: string]: unknown;
}

/** A JSON line in words: `14:03:07.123 warn  link: text key=value`. */
function describeLine(line: string): string {
  const { time, level, pid: _pid, msg = '', part, err, ...rest } = JSON.parse(line) as Line;
  const clock = time.slice(11, 23);
  const from = part === undefined ? '' : `${part}: `;
  const details = Object.entries(rest).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
  const trace = err?.stack === undefined ? '' : `\n${err.stack}`;
  return `${clock} ${level.padEnd(5)} ${from}${msg}${details.join('')}${trace}\n`;
}
