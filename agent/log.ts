import { pino, type Logger } from 'pino';

/** The agent's log: JSON lines on standard error, like the gateway's. The door to pino. */
export function openLog(level: string): Logger {
  return pino(
    {
      name: 'agent',
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
