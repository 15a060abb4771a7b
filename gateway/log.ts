import { pino, type DestinationStream, type Logger } from 'pino';
import type { Config } from './config/load.ts';

export type { Logger } from 'pino';

export interface LogOptions {
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
export function openLog(config: Pick<Config, 'default'>, options: LogOptions = {}): Logger {
  const isTerminal = options.isTerminal ?? (options.destination === undefined && process.stderr.isTTY);
  const destination = options.destination ?? pino.destination({ dest: 2, sync: true });
  return pino(
    {
      level: config.default.logLevel,
      base: { pid: process.pid },
      redact: { paths: REDACTED_PATHS, censor: '[secret]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    isTerminal ? { write: (line: string) => destination.write(describeLine(line)) } : destination,
  );
}

/** A JSON line in words: `14:03:07.123 warn  link: text key=value`. */
function describeLine(line: string): string {
  const { time, level, msg, part, err, pid: _pid, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const from = part === undefined ? '' : `${String(part)}: `;
  const details = Object.entries(rest).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
  const stack = (err as { stack?: unknown } | undefined)?.stack;
  const trace = stack === undefined ? '' : `\n${String(stack)}`;
  return `${clock} ${String(level).padEnd(5)} ${from}${String(msg ?? '')}${details.join('')}${trace}\n`;
}
