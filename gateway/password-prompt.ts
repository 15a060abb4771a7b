import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { UsageError } from './command-line.ts';

const MAX_BYTES = 1_024;

/** A new password: from a terminal, asked for twice without showing it; from elsewhere, the one line that comes. */
export async function readNewPassword(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Promise<string> {
  if (!input.isTTY) return check(withoutLineEnd(await text(input)));
  const password = check(await ask('Password: ', input, output));
  if ((await ask('Again: ', input, output)) !== password) throw new UsageError('the two passwords differ');
  return password;
}

function withoutLineEnd(line: string): string {
  return line.replace(/\r?\n$/, '');
}

function check(password: string): string {
  if (password === '') throw new UsageError('no password was given on standard input');
  if (Buffer.byteLength(password) > MAX_BYTES) throw new UsageError(`a password has at most ${MAX_BYTES} bytes`);
  if (/\p{Cc}/u.test(password)) throw new UsageError('a password is one line without control characters');
  return password;
}

function ask(question: string, input: NodeJS.ReadStream, output: NodeJS.WriteStream): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, onDone) => onDone() }); // what is typed is not shown
  const lines = createInterface({ input, output: nowhere, terminal: true });
  output.write(question);
  return new Promise((resolve) => {
    let answer = '';
    lines.once('line', (line) => {
      answer = line;
      lines.close();
    });
    lines.once('close', () => {
      output.write('\n');
      resolve(answer);
    });
  });
}
