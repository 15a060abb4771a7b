import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import type { FoundRuntime, RuntimeOnMachine } from './runtime-catalog.ts';

const OTHERS_EXECUTE = 0o001;

/**
 * Makes a runtime startable for processes that will run as other users: its host is copied to a folder that they can
 * read, and an interpreter below a closed folder (a version manager's in root's home) is mounted at an open one.
 *
 * The mount is made in a mount namespace of the language host's own, so nobody else sees it and it goes with its process.
 */
export function makeReachable(runtime: RuntimeOnMachine, changesUser: boolean, workDirectory: string): FoundRuntime {
  const { definition, interpreter, version } = runtime;
  const folder = join(workDirectory, 'hosts', definition.name);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const hostFile = join(folder, basename(runtime.hostFile));
  copyFileSync(runtime.hostFile, hostFile);
  const args = definition.run.map((argument) => argument.replaceAll('{host}', hostFile));
  const { name } = definition;
  if (!changesUser || isOpen(interpreter)) return withoutNewRights({ name, version, command: interpreter, args });

  const prefix = dirname(dirname(interpreter));
  const mountPoint = join(folder, 'interpreter');
  mkdirSync(mountPoint, { recursive: true, mode: 0o755 });
  const mounted = join(mountPoint, basename(dirname(interpreter)), basename(interpreter));
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
  const unshare = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', prefix, mountPoint];
  return withoutNewRights({ name, version, command: 'unshare', args: [...unshare, mounted, ...args] });
}

/** Started so that neither the host nor what it starts can gain rights by a program that has them (sudo, mount). */
function withoutNewRights(runtime: FoundRuntime): FoundRuntime {
  if (!hasProgram('setpriv')) return runtime;
  return { ...runtime, command: 'setpriv', args: ['--no-new-privs', runtime.command, ...runtime.args] };
}

function hasProgram(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
}

/** True if every user may reach the file. */
function isOpen(path: string): boolean {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & OTHERS_EXECUTE) === 0) return false;
  }
  return true;
}
