import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

/** True where every program is there. Else the test is skipped, or failed where CI is set, and names what to install. */
export function hasPrograms(t: TestContext, packages: Readonly<Record<string, string>>): boolean {
  const missing = Object.keys(packages).filter((program) => !isOnPath(program));
  return (
    missing.length === 0 ||
    isExcused(
      t,
      missing,
      missing.map((program) => packages[program]!),
    )
  );
}

/** The same for `openstack` with its plug-in for this service. */
export function hasOpenstackClient(t: TestContext): boolean {
  if (!hasPrograms(t, { openstack: 'python3-openstackclient python3-qinlingclient' })) return false;
  const isThere = existsSync('/usr/lib/python3/dist-packages/qinlingclient');
  return isThere || isExcused(t, ['the plug-in qinlingclient'], ['python3-qinlingclient']);
}

function isExcused(t: TestContext, missing: readonly string[], packages: readonly string[]): boolean {
  const reason = `${missing.join(', ')} missing: apt-get install ${packages.join(' ')}`;
  if (isCi()) assert.fail(reason);
  t.skip(reason);
  return false;
}

function isCi(): boolean {
  const { CI } = process.env;
  return CI !== undefined && CI !== '' && CI !== 'false';
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export interface ProgramEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, with nothing on standard input. */
export function runProgram(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...environment };
    const child = execFile(program, args, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
    child.stdin?.end();
  });
}
