import { createHash } from 'node:crypto';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Unpack, UnpackSync } from 'tar';

/** Unpacks a tar into an existing folder; gives its size. Rejects where it has not the digest. */
export async function unpack(tar: Readable, digest: string, directory: string): Promise<number> {
  const hash = createHash('sha256');
  let bytes = 0;
  const tap = new PassThrough();
  tap.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  await pipeline(tar, tap, new Unpack(optionsFor(directory)));
  if (hash.digest('hex') !== digest) throw wrongDigest();
  return bytes;
}

/** The same for a small one, in this turn: its few files are written faster than other threads are asked to. */
export function unpackAtOnce(tar: Buffer, digest: string, directory: string): number {
  if (createHash('sha256').update(tar).digest('hex') !== digest) throw wrongDigest();
  let fault: unknown;
  const unpacking = new UnpackSync(optionsFor(directory));
  unpacking.on('error', (error) => (fault ??= error));
  unpacking.end(tar);
  if (fault !== undefined) throw fault;
  return tar.length;
}

/** The door to tar: files and folders only, whatever the tar holds. */
function optionsFor(directory: string) {
  const filter = (_path: string, entry: object) =>
    'type' in entry && (entry.type === 'File' || entry.type === 'Directory');
  return { cwd: directory, strict: true, preserveOwner: false, filter };
}

function wrongDigest(): Error {
  return new Error('the package does not have its digest');
}
