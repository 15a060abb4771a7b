import busboy from 'busboy';
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { QinlingError, invalidInput } from '../errors.ts';
import type { FileSource } from '../file-source.ts';
import { tooLarge } from './body.ts';
import { UploadMemory } from './upload-memory.ts';

const MAX_FIELDS = 100;
/** In a body of text fields only. */
const MAX_TEXT_FIELDS = 1_000;
const MAX_NAME_BYTES = 200;
const MAX_FIELD_BYTES = 1024 * 1024;
/** All fields together: they are kept in memory. */
const MAX_FIELDS_BYTES = 4 * 1024 * 1024;
/** Most packages are smaller; to write them to disk and to read them again takes longer than all else. */
const MAX_HELD_BYTES = 256 * 1024;
const memory = new UploadMemory(16 * 1024 * 1024);

/** A file part. It is gone after the request; one on disk may be moved away. */
export interface UploadedFile {
  readonly source: FileSource;
  readonly bytes: number;
  /** Of the bytes as they came, hex. */
  readonly md5: string;
  readonly fileName: string;
}

export interface Form {
  /** Text in forms, any JSON value in JSON bodies. */
  readonly fields: ReadonlyMap<string, unknown>;
  readonly files: ReadonlyMap<string, UploadedFile>;
}

export interface UploadLimits {
  /** Existing folder for files that come in. */
  readonly directory: string;
  readonly maxFileBytes: number;
  /** A file part up to this size does not touch the disk, as long as there is memory for it. */
  readonly maxHeldBytes?: number;
}

/**
 * Reads a multipart or urlencoded body; large files go to disk as they come. The door to busboy. Rejects with a 400 or 413;
 * no file is left then.
 */
export async function readForm(source: Readable, contentType: string, limits: UploadLimits): Promise<Form> {
  const fields = new Map<string, unknown>();
  const saves: Promise<[name: string, UploadedFile] | undefined>[] = [];
  let fault: QinlingError | undefined;
  let fieldsBytes = 0;
  const parser = openParser(contentType, uploadLimits(limits));
  const fail = (error: QinlingError): undefined => {
    fault ??= error;
    // The rest is of no use, and the parser would wait for files that nobody reads any more. Not at once: busboy does
    // not bear to be destroyed inside of its own events.
    setImmediate(() => {
      source.destroy();
      parser.destroy(error);
    });
  };
  parser.on('error', () => undefined); // told through the pipeline, or made by `fail`
  parser.on('field', (name, value, info) => {
    if (info.valueTruncated || info.nameTruncated)
      fail(invalidInput(`The form field ${name.slice(0, 100)} is too long.`));
    fieldsBytes += name.length + value.length;
    if (fieldsBytes > MAX_FIELDS_BYTES) fail(tooLarge(MAX_FIELDS_BYTES));
    fields.set(name, value);
  });
  parser.on('file', (name, stream, info) => {
    stream.on('error', () => undefined); // told to who saves it
    stream.once('limit', () => fail(tooLarge(limits.maxFileBytes)));
    saves.push(
      saveFile(stream, info.filename ?? '', limits).then(
        (file): [string, UploadedFile] => [name, file],
        (error: unknown) => fail(toError(error)),
      ),
    );
  });
  for (const event of ['fieldsLimit', 'filesLimit', 'partsLimit'] as const) {
    parser.on(event, () => fail(invalidInput('The form has too many parts.')));
  }
  await pipeline(source, parser).catch((error: unknown) => fail(toError(error)));
  const saved = (await Promise.all(saves)).filter((part) => part !== undefined);
  const files = new Map(fault === undefined ? saved : []); // in the order of the form: the last one of a name counts
  await removeFiles(saved.filter(([name, file]) => files.get(name) !== file));
  if (fault !== undefined) throw fault;
  return { fields, files };
}

/** Removes the files that nobody moved away. To be called once for each. */
export async function removeFiles(files: Iterable<readonly [name: string, UploadedFile]>): Promise<void> {
  const removals: Promise<void>[] = [];
  for (const [, { source, bytes }] of files) {
    if ('content' in source) memory.giveBack(bytes);
    else removals.push(rm(source.path, { force: true }));
  }
  await Promise.all(removals);
}

/**
 * The text fields of a body that is in memory, in their order; a name may come several times. Rejects with a 400, also
 * where there is a file.
 */
export async function readTextFields(body: Buffer, contentType: string): Promise<[name: string, value: string][]> {
  const fields: [name: string, value: string][] = [];
  const parser = openParser(contentType, {
    fields: MAX_TEXT_FIELDS,
    fieldSize: body.length + 1,
    fieldNameSize: MAX_NAME_BYTES,
    files: 1,
    parts: MAX_TEXT_FIELDS + 1,
    headerPairs: 50,
  });
  let fault: QinlingError | undefined;
  parser.on('field', (name, value, { nameTruncated }) => {
    if (nameTruncated) fault ??= invalidInput(`The form field ${name.slice(0, 100)} has too long a name.`);
    fields.push([name, value]);
  });
  parser.on('file', (name, stream) => {
    fault ??= invalidInput(`The form field ${name.slice(0, 100)} is a file: only text is taken.`);
    stream.on('error', () => undefined).resume();
  });
  for (const event of ['fieldsLimit', 'filesLimit', 'partsLimit'] as const) {
    parser.on(event, () => (fault ??= invalidInput('The form has too many parts.')));
  }
  await pipeline(Readable.from([body]), parser).catch((error: unknown) => (fault ??= toError(error)));
  if (fault !== undefined) throw fault;
  return fields;
}

function uploadLimits(limits: UploadLimits): busboy.Limits {
  return {
    fields: MAX_FIELDS,
    fieldSize: MAX_FIELD_BYTES,
    fieldNameSize: MAX_NAME_BYTES,
    files: 4,
    fileSize: limits.maxFileBytes + 1, // what reaches it is cut
    parts: MAX_FIELDS + 4,
    headerPairs: 50,
  };
}

function openParser(contentType: string, limits: busboy.Limits): busboy.Busboy {
  try {
    return busboy({ headers: { 'content-type': contentType }, defParamCharset: 'utf8', limits });
  } catch (cause) {
    throw new QinlingError('INVALID_INPUT', 'The form is not readable: its content type has no boundary.', { cause });
  }
}

async function saveFile(stream: Readable, fileName: string, limits: UploadLimits): Promise<UploadedFile> {
  const { directory, maxHeldBytes = MAX_HELD_BYTES } = limits;
  const hash = createHash('md5');
  const held: Buffer[] = [];
  let heldBytes = 0;
  let bytes = 0;
  const chunks = (async function* () {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      hash.update(chunk);
      yield chunk;
    }
  })();
  try {
    for (;;) {
      const { done, value } = await chunks.next();
      if (done === true) {
        const content = Buffer.concat(held, bytes);
        return { source: { content }, bytes, md5: hash.digest('hex'), fileName };
      }
      held.push(value);
      if (bytes > maxHeldBytes || !memory.tryTake(value.length)) break;
      heldBytes = bytes;
    }
    const path = await writeFile(held, chunks, directory);
    memory.giveBack(heldBytes);
    return { source: { path }, bytes, md5: hash.digest('hex'), fileName };
  } catch (error) {
    memory.giveBack(heldBytes);
    stream.resume();
    throw error;
  }
}

/** A new file of these chunks; none is left where they end with an error. */
async function writeFile(first: Buffer[], rest: AsyncIterable<Buffer>, directory: string): Promise<string> {
  const path = join(directory, randomUUID());
  const all = async function* () {
    yield* first.splice(0);
    yield* rest;
  };
  try {
    await pipeline(all, createWriteStream(path, { mode: 0o600 }));
    return path;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

function toError(cause: unknown): QinlingError {
  if (cause instanceof QinlingError) return cause;
  const isDisk = typeof (cause as { syscall?: unknown }).syscall === 'string';
  if (isDisk) return new QinlingError('INTERNAL', 'The upload could not be stored.', { cause });
  return new QinlingError('INVALID_INPUT', 'The form is not readable.', { cause });
}
