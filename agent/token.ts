import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * A way to read the agent's token. Standard input (`-`) gives it once, as its first line; from then on `onStarterGone`
 * is called when the input ends, because then the process at its other end is gone. A file is read at every use, so
 * that a token that is renewed on disk is taken up.
 */
export async function openToken(tokenFile: string, onStarterGone: () => void): Promise<() => string> {
  if (tokenFile !== '-') return () => readFileSync(tokenFile, 'utf8').trim();
  const lines = createInterface({ input: process.stdin });
  const token = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    lines.once('close', () => reject(new Error('standard input ended before the token came')));
  });
  lines.on('close', onStarterGone);
  return () => token;
}
