import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Api } from './api.ts';
import { runProgram, type ProgramEnd } from './tools.ts';

export type Row = Record<string, unknown>;

/** The real client against the real product. Each command takes a second or two: those that can run side by side do. */
export class OpenstackClient {
  readonly folder: string;
  readonly api: Api;
  readonly #words: readonly string[];

  /** `auth`: the words of the command line that say who asks. */
  constructor(url: string, folder: string, auth: readonly string[] = ['--os-auth-type', 'none']) {
    this.#words = [...auth, '--os-endpoint', url];
    this.api = new Api(url);
    this.folder = folder;
  }

  /** A command that must work and prints JSON. */
  async json<T = Row>(...words: readonly string[]): Promise<T> {
    return JSON.parse(await this.text(...words, '-f', 'json')) as T;
  }

  /** A command that must work. */
  async text(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...words);
    assert.equal(code, 0, `${words.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  }

  /** A command that must be refused; resolves with what it says. */
  async refusal(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...words);
    assert.notEqual(code, 0, stdout);
    return stdout + stderr;
  }

  run(...words: readonly string[]): Promise<ProgramEnd> {
    const temporary = join(this.folder, `tmp-${randomUUID()}`); // --file makes a file of a fixed name there
    mkdirSync(temporary);
    const environment = { TMPDIR: temporary, HOME: this.folder };
    return runProgram('openstack', [...this.#words, ...words], environment);
  }

  /** A file in the folder of the test; its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }
}

/** A row of a list as a command that shows one resource prints it; checks that the list has just these columns. */
export function rowOf(columns: readonly string[], listed: Row): Row {
  const titles = columns.map((column) => column[0]!.toUpperCase() + column.slice(1));
  assert.deepEqual(Object.keys(listed), titles);
  return Object.fromEntries(columns.map((column, index) => [column, listed[titles[index]!]]));
}
