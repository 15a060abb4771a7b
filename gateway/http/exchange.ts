import type { Readable } from 'node:stream';
import { NOBODY, type Access } from '../auth/access.ts';
import { OPEN_GUARD, type Guard } from '../auth/guard.ts';
import type { RuleName } from '../auth/rules.ts';
import { QinlingError } from '../errors.ts';
import { mimeTypeOf, parseJsonObject, readBody, tooLarge, type BodyHead } from './body.ts';
import { openBodyStream } from './body-stream.ts';
import { HeldBody } from './held-body.ts';
import { joinTexts, type EscapedText } from './json-texts.ts';
import { PacedWriter } from './paced-writer.ts';
import type { NativeResponse } from './server.ts';
import { statusLine } from './status-line.ts';
import { readForm, removeFiles, type Form, type UploadLimits } from './upload-form.ts';

const JSON_TYPE = 'application/json';
/** What a form may hold beside its files. */
const FORM_MARGIN_BYTES = 8 * 1024 * 1024;
/** What is waited for of a request that is turned away. */
const AWAITED_BYTES = 1024 * 1024;

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
  /** Who may do what; left out: everybody everything. */
  readonly guard?: Guard;
}

/**
 * One request and its one answer.
 *
 *   Open --send*--> Answered        Open --client goes--> Aborted: what is sent then is dropped
 */
export class Exchange {
  readonly head: RequestHead;
  /** Who asks, and what the operation may touch. Nobody until the request was admitted. */
  access: Access = NOBODY;
  parameters: readonly string[] = [];
  readonly #res: NativeResponse;
  readonly #options: ExchangeOptions;
  readonly #onEnd: () => void;
  #headers: (readonly [string, string])[] = [];
  #isAnswered = false;
  #isAborted = false;
  #abort: AbortController | undefined;
  #form: Form | undefined;
  #closesConnection = false;
  #writer: PacedWriter | undefined;
  #held: HeldBody | undefined;

  /** `onEnd` is called once, when the exchange is answered or aborted. */
  constructor(res: NativeResponse, head: RequestHead, options: ExchangeOptions, onEnd: () => void) {
    this.#res = res;
    this.head = head;
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

  /** What another rule lets the caller touch; throws NOT_ALLOWED. */
  accessBy(rule: RuleName): Access {
    return (this.#options.guard ?? OPEN_GUARD).accessBy(rule, this.access);
  }

  /** Lets the body be read in a later turn. */
  holdBody(): void {
    this.#held = new HeldBody(this.#res);
  }

  /**
   * Hot. The body as a JSON object; `argument` names the resource in messages. Throws 400, 413, 415. Like all that read
   * the body, it must be called once, in the turn in which its route was called.
   */
  json(argument: string): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      readBody(this.#held ?? this.#res, this.head, this.#options.maxBodyBytes, (error, body) => {
        if (error !== undefined) return reject(error);
        try {
          resolve(parseJsonObject(body, this.head.contentType, argument));
        } catch (fault) {
          reject(fault as Error);
        }
      });
    });
  }

  /**
   * Hot. As `json`, but `onBody` is called with the object; where there is none, or it throws, the error is the answer.
   * Throws 413.
   */
  takeJson(argument: string, onBody: (body: Record<string, unknown>) => void): void {
    readBody(this.#held ?? this.#res, this.head, this.#options.maxBodyBytes, (error, body) => {
      if (error !== undefined) return this.sendError(error);
      try {
        onBody(parseJsonObject(body, this.head.contentType, argument));
      } catch (fault) {
        this.sendError(fault);
      }
    });
  }

  /** The body as it came. Throws 413. */
  body(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      readBody(this.#held ?? this.#res, this.head, this.#options.maxBodyBytes, (error, body) =>
        error === undefined ? resolve(Buffer.from(body)) : reject(error),
      );
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
    const { uploads } = this.#options;
    if ((this.head.contentLength ?? 0) > uploads.maxFileBytes + FORM_MARGIN_BYTES) throw tooLarge(uploads.maxFileBytes);
    this.#form = await readForm(openBodyStream(this.#held ?? this.#res, this.signal), this.head.contentType, uploads);
    return this.#form;
  }

  setHeader(name: string, value: string): void {
    this.#headers.push([name, value]);
  }

  /**
   * Answers with an error and ends the connection, when the request has come to its end: where bytes are left unread, a
   * client may see its connection reset, and not the answer. One that sends much is not waited for.
   */
  turnAway(error: QinlingError): void {
    this.#closesConnection = true;
    try {
      readBody(this.#res, this.head, AWAITED_BYTES, () => this.sendError(error));
    } catch {
      this.sendError(error);
    }
  }

  /** Hot. The one answer. A body is JSON where no other type is named; no body has no type. */
  send(status: number, body: string | Uint8Array = '', contentType?: string): void {
    if (this.isAnswered) return;
    this.#beginAnswer();
    const type = contentType ?? (body.length === 0 ? undefined : JSON_TYPE);
    const closes = this.#closesConnection || this.#mayLackBody();
    this.#res.cork(() => {
      this.#writeHead(status, type);
      if (this.method !== 'HEAD' && status !== 204) return this.#res.end(body, closes);
      if (closes) return this.#res.end('', true);
      if (this.method === 'HEAD') this.#writeLength(Buffer.byteLength(body));
      return this.#res.endWithoutBody();
    });
    this.#onEnd();
  }

  /** Hot. JSON in parts that may be long. */
  sendTexts(status: number, texts: readonly (string | EscapedText)[]): void {
    if (!this.isAnswered) this.send(status, joinTexts(texts));
  }

  sendJson(status: number, value: unknown): void {
    this.send(status, JSON.stringify(value));
  }

  /** Errors to the error body that every client understands. What is ours is logged, and says nothing of the inside. */
  sendError(cause: unknown): void {
    const error =
      cause instanceof QinlingError ? cause : new QinlingError('INTERNAL', 'Internal server error.', { cause });
    if (error.code === 'INTERNAL' || error.code === 'UNAVAILABLE')
      this.#options.onFault(error.cause ?? error, `${this.method} ${this.path}: ${error.message}`);
    if (error.retryAfterSeconds !== undefined) this.setHeader('Retry-After', String(error.retryAfterSeconds));
    const faultcode = error.httpStatus < 500 ? 'Client' : 'Server';
    this.send(error.httpStatus, JSON.stringify({ faultcode, faultstring: error.message, debuginfo: null }));
  }

  /**
   * An answer of known length from a stream. Resolves when it was sent or the client is gone; the stream is ended. Where
   * the stream holds less, the connection breaks off, so that nobody takes a part for the whole.
   */
  async sendStream(
    status: number,
    headers: Readonly<Record<string, string>>,
    bytes: number,
    stream: Readable,
  ): Promise<void> {
    if (this.isAnswered) return void stream.destroy();
    this.#beginAnswer();
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    try {
      if (this.method === 'HEAD' || bytes === 0) {
        this.#res.cork(() => {
          this.#writeHead(status, undefined);
          this.#writeLength(bytes);
          this.#res.endWithoutBody();
        });
        return;
      }
      this.#res.cork(() => this.#writeHead(status, undefined));
      const writer = this.#openWriter();
      let sentBytes = 0;
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        if (this.#isAborted) return;
        const part = chunk.subarray(0, bytes - sentBytes);
        sentBytes += part.length;
        await writer.writeOf(bytes, part);
        if (sentBytes === bytes) return;
      }
      throw new Error(`the stream held ${sentBytes} of ${bytes} bytes`);
    } catch (cause) {
      this.#options.onFault(cause, `${this.method} ${this.path}: the answer broke off`);
      if (!this.#isAborted) this.#res.close();
    } finally {
      stream.destroy();
      this.#onEnd();
    }
  }

  /** An answer of unknown length, part by part, chunked; waits where the client reads slowly. */
  async sendParts(status: number, parts: AsyncIterable<string>, contentType: string = JSON_TYPE): Promise<void> {
    const iterator = parts[Symbol.asyncIterator]();
    let next = await iterator.next(); // a fault of the first part is still an error answer
    if (this.isAnswered) return void (await iterator.return?.());
    this.#beginAnswer();
    try {
      this.#res.cork(() => {
        this.#writeHead(status, contentType);
        if (this.method === 'HEAD') this.#res.endWithoutBody();
      });
      if (this.method === 'HEAD') return;
      const writer = this.#openWriter();
      for (; next.done !== true && !this.#isAborted; next = await iterator.next()) await writer.writeChunk(next.value);
      if (!this.#isAborted) this.#res.cork(() => this.#res.end());
    } catch (cause) {
      this.#options.onFault(cause, `${this.method} ${this.path}: the answer broke off`);
      if (!this.#isAborted) this.#res.close();
    } finally {
      await iterator.return?.();
      this.#onEnd();
    }
  }

  /** The handler is done: what it left of an upload goes. */
  release(): void {
    if (this.#form === undefined) return;
    removeFiles(this.#form.files).catch((cause: unknown) =>
      this.#options.onFault(cause, 'an uploaded file was not removed'),
    );
  }

  #beginAnswer(): void {
    this.#isAnswered = true;
    this.#held?.drop();
  }

  /**
   * True where the client waits for our word before it sends its body, and did not get it: uWebSockets.js gives it by
   * itself, but knows this one spelling only. It may send the body now or not: what follows could not be told apart.
   */
  #mayLackBody(): boolean {
    const expect = this.head.headers.get('expect');
    return expect !== undefined && expect !== '100-continue';
  }

  #writeHead(status: number, contentType: string | undefined): void {
    this.#res.writeStatus(statusLine(status));
    if (contentType !== undefined) this.#res.writeHeader('Content-Type', contentType);
    for (const [name, value] of this.#headers) this.#res.writeHeader(name, value);
  }

  /** For an answer without its body: told of the length, uWebSockets.js would wait for the bytes, and end the connection. */
  #writeLength(bytes: number): void {
    this.#res.writeHeader('Content-Length', String(bytes));
  }

  #openWriter(): PacedWriter {
    this.#writer = new PacedWriter(this.#res);
    return this.#writer;
  }

  #onAborted(): void {
    this.#isAborted = true;
    this.#held?.abandon();
    this.#abort?.abort();
    this.#writer?.abort();
    if (!this.#isAnswered) this.#onEnd();
  }
}
