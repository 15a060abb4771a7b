import { Readable } from 'node:stream';
import type { Caller } from '../auth/caller.ts';
import { QinlingError } from '../errors.ts';
import { mimeTypeOf, parseJsonObject, readBody, type BodyHead } from './body.ts';
import type { NativeResponse } from './server.ts';
import { readForm, removeFiles, type Form, type UploadLimits } from './upload-form.ts';

const STATUS_LINES: Readonly<Record<number, string>> = {
  200: '200 OK',
  201: '201 Created',
  202: '202 Accepted',
  204: '204 No Content',
  400: '400 Bad Request',
  401: '401 Unauthorized',
  403: '403 Forbidden',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  406: '406 Not Acceptable',
  409: '409 Conflict',
  413: '413 Payload Too Large',
  415: '415 Unsupported Media Type',
  429: '429 Too Many Requests',
  500: '500 Internal Server Error',
  503: '503 Service Unavailable',
};
const JSON_TYPE = 'application/json';
/** Unread bytes of an upload at which the client is told to wait. */
const UPLOAD_BUFFER_BYTES = 1024 * 1024;

/** What an exchange copies of a request, because the native one is dead after its callback. */
export interface RequestHead extends BodyHead {
  readonly method: string;
  readonly path: string;
  /** The text behind the question mark, still encoded. */
  readonly query: string;
  readonly headers: ReadonlyMap<string, string>;
}

export interface ExchangeOptions {
  readonly maxBodyBytes: number;
  readonly uploads: UploadLimits;
  /** True if X-Forwarded-* are believed. */
  readonly isBehindProxy: boolean;
  /** Told of every fault of ours. */
  readonly onFault: (cause: unknown, message: string) => void;
}

/**
 * One request and its one answer.
 *
 *   Open --send*--> Answered        Open --client goes--> Aborted: what is sent then is dropped
 */
export class Exchange {
  readonly head: RequestHead;
  readonly caller: Caller;
  parameters: readonly string[] = [];
  readonly #res: NativeResponse;
  readonly #options: ExchangeOptions;
  readonly #onEnd: () => void;
  #headers: (readonly [string, string])[] = [];
  #isAnswered = false;
  #isAborted = false;
  #abort: AbortController | undefined;
  #form: Form | undefined;

  /** `onEnd` is called once, when the exchange is answered or aborted. */
  constructor(res: NativeResponse, head: RequestHead, caller: Caller, options: ExchangeOptions, onEnd: () => void) {
    this.#res = res;
    this.head = head;
    this.caller = caller;
    this.#options = options;
    this.#onEnd = onEnd;
    res.onAborted(() => this.#onAborted());
  }

  get method(): string {
    return this.head.method;
  }

  get path(): string {
    return this.head.path;
  }

  get query(): string {
    return this.head.query;
  }

  get isAnswered(): boolean {
    return this.#isAnswered || this.#isAborted;
  }

  /** Aborted when the client goes before the answer. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#isAborted) this.#abort.abort();
    return this.#abort.signal;
  }

  /** scheme://host[/prefix] as the client knows us. */
  get baseUrl(): string {
    const forwarded = (name: string) => (this.#options.isBehindProxy ? this.header(`x-forwarded-${name}`) : undefined);
    const host = forwarded('host') ?? this.header('host') ?? 'localhost';
    return `${forwarded('proto') ?? 'http'}://${host}${(forwarded('prefix') ?? '').replace(/\/+$/, '')}`;
  }

  /** A request header by its lower-case name. */
  header(name: string): string | undefined {
    return this.head.headers.get(name);
  }

  /** Hot. The body as a JSON object; `argument` names the resource in messages. Throws 400, 413, 415. */
  json(argument: string): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      readBody(this.#res, this.head, this.#options.maxBodyBytes, (error, body) => {
        if (error !== undefined) return reject(error);
        try {
          resolve(parseJsonObject(body, this.head.contentType, argument));
        } catch (fault) {
          reject(fault as Error);
        }
      });
    });
  }

  /** A form in any of its encodings: multipart, urlencoded, JSON object. Throws 400, 413, 415. */
  async form(): Promise<Form> {
    const mimeType = mimeTypeOf(this.head.contentType);
    if (mimeType === 'application/json') {
      return { fields: new Map(Object.entries(await this.json('function'))), files: new Map() };
    }
    if (mimeType !== 'multipart/form-data' && mimeType !== 'application/x-www-form-urlencoded') {
      if (mimeType === '') return { fields: new Map(), files: new Map() };
      throw new QinlingError('UNSUPPORTED_MEDIA_TYPE', `Unknown mimetype: ${mimeType.slice(0, 100)}`);
    }
    const form = await readForm(this.#bodyStream(), this.head.contentType, this.#options.uploads);
    if (this.#isAborted) await removeFiles(form.files);
    this.#form = form;
    return form;
  }

  setHeader(name: string, value: string): void {
    this.#headers.push([name, value]);
  }

  /** Hot. The one answer. */
  send(status: number, body: string | Uint8Array = '', contentType: string = JSON_TYPE): void {
    if (this.isAnswered) return;
    this.#isAnswered = true;
    this.#res.cork(() => {
      this.#writeHead(status, status === 202 || status === 204 ? undefined : contentType);
      if (this.method === 'HEAD') this.#res.endWithoutBody(Buffer.byteLength(body));
      else if (status === 204) this.#res.endWithoutBody();
      else this.#res.end(body as string);
    });
    this.#end();
  }

  sendJson(status: number, value: unknown): void {
    this.send(status, JSON.stringify(value));
  }

  /** Errors to the error body that every client understands. What is ours is logged, and says nothing of the inside. */
  sendError(cause: unknown): void {
    const error =
      cause instanceof QinlingError ? cause : new QinlingError('INTERNAL', 'Internal server error.', { cause });
    if (error.httpStatus >= 500)
      this.#options.onFault(error.cause ?? error, `${this.method} ${this.path}: ${error.message}`);
    if (error.retryAfterSeconds !== undefined) this.setHeader('Retry-After', String(error.retryAfterSeconds));
    if (error.code === 'TOO_LARGE') this.setHeader('Connection', 'close');
    const faultcode = error.httpStatus < 500 ? 'Client' : 'Server';
    this.send(error.httpStatus, JSON.stringify({ faultcode, faultstring: error.message, debuginfo: null }));
  }

  /** An answer of known length from a stream. Resolves when it was sent or the client is gone; the stream is ended. */
  async sendStream(
    status: number,
    headers: Readonly<Record<string, string>>,
    bytes: number,
    stream: Readable,
  ): Promise<void> {
    if (this.isAnswered) return void stream.destroy();
    this.#isAnswered = true;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    try {
      if (this.method === 'HEAD' || bytes === 0) {
        this.#res.cork(() => {
          this.#writeHead(status, undefined);
          this.#res.endWithoutBody(bytes);
        });
        return;
      }
      this.#res.cork(() => this.#writeHead(status, undefined));
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        if (this.#isAborted) return;
        await this.#writeKnown(chunk, bytes);
      }
    } catch (cause) {
      this.#options.onFault(cause, `${this.method} ${this.path}: the answer broke off`);
      if (!this.#isAborted) this.#res.close();
    } finally {
      stream.destroy();
      this.#end();
    }
  }

  /** An answer of unknown length, part by part, chunked; waits where the client reads slowly. */
  async sendParts(status: number, parts: AsyncIterable<string>, contentType: string = JSON_TYPE): Promise<void> {
    const iterator = parts[Symbol.asyncIterator]();
    let next = await iterator.next(); // a fault of the first part is still an error answer
    if (this.isAnswered) return;
    this.#isAnswered = true;
    try {
      this.#res.cork(() => {
        this.#writeHead(status, contentType);
        if (this.method === 'HEAD') this.#res.endWithoutBody();
      });
      if (this.method === 'HEAD') return;
      for (; next.done !== true && !this.#isAborted; next = await iterator.next()) await this.#writeChunk(next.value);
      if (!this.#isAborted) this.#res.cork(() => this.#res.end());
    } catch (cause) {
      this.#options.onFault(cause, `${this.method} ${this.path}: the answer broke off`);
      if (!this.#isAborted) this.#res.close();
    } finally {
      await iterator.return?.();
      this.#end();
    }
  }

  #writeHead(status: number, contentType: string | undefined): void {
    this.#res.writeStatus(STATUS_LINES[status] ?? String(status));
    if (contentType !== undefined) this.#res.writeHeader('Content-Type', contentType);
    for (const [name, value] of this.#headers) this.#res.writeHeader(name, value);
  }

  #writeKnown(chunk: Buffer, totalBytes: number): Promise<void> {
    return new Promise((resolve) => {
      const start = this.#res.getWriteOffset();
      let isWritten = false;
      this.#res.cork(() => {
        [isWritten] = this.#res.tryEnd(chunk, totalBytes);
      });
      if (isWritten) return resolve();
      this.#res.onWritable((offset) => {
        const [isDone] = this.#res.tryEnd(chunk.subarray(offset - start), totalBytes);
        if (isDone) resolve();
        return isDone;
      });
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #writeChunk(text: string): Promise<void> {
    return new Promise((resolve) => {
      let isWritten = true;
      this.#res.cork(() => {
        isWritten = this.#res.write(text);
      });
      if (isWritten) return setImmediate(resolve); // others have their turn between two parts
      this.#res.onWritable(() => {
        resolve();
        return true;
      });
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #bodyStream(): Readable {
    const res = this.#res;
    let isPaused = false;
    const stream = new Readable({
      highWaterMark: UPLOAD_BUFFER_BYTES,
      read: () => {
        if (isPaused && !this.#isAborted) res.resume();
        isPaused = false;
      },
    });
    res.onData((chunk, isLast) => {
      const isRoom = stream.push(Buffer.from(new Uint8Array(chunk)));
      if (isLast) stream.push(null);
      else if (!isRoom && !isPaused) {
        isPaused = true;
        res.pause();
      }
    });
    this.signal.addEventListener('abort', () => stream.destroy(new Error('the client went away')), { once: true });
    return stream;
  }

  #onAborted(): void {
    this.#isAborted = true;
    this.#abort?.abort();
    if (!this.#isAnswered) this.#end();
  }

  #end(): void {
    if (this.#form !== undefined)
      void removeFiles(this.#form.files).catch((cause: unknown) =>
        this.#options.onFault(cause, 'an uploaded file was not removed'),
      );
    this.#onEnd();
  }
}
