import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CleanUp } from './clean-up.ts';

const ECHO_SERVER = fileURLToPath(new URL('./echo-server.js', import.meta.url));

/** Starts the bare server whose answers have so many bytes, at least; resolves with its URL. */
export async function startEcho(cleanUp: CleanUp, answerBytes: number): Promise<string> {
  const child = spawn(process.execPath, [ECHO_SERVER, String(answerBytes)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  cleanUp.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const [port] = (await Promise.race([once(child.stdout, 'data'), ended])) as [unknown];
  if (!(port instanceof Buffer)) throw new Error('the echo server did not start');
  return `http://127.0.0.1:${port.toString().trim()}/`;
}
