import { Readable } from 'node:stream';
import type { BodySource } from './held-body.ts';

/** Unread bytes of an upload at which the client is told to wait. */
const UPLOAD_BUFFER_BYTES = 1024 * 1024;

/**
 * The body of a request as a stream. Must be called in the turn in which the request came, if it was not held.
 * `signal`: the client went away; the stream is destroyed then, and `source` left alone. A stream that is destroyed
 * before its end must be so before the answer: what still comes is thrown away, so that the client hears it.
 *
 * A client that is faster than our disk is told to wait.
 */
export function openBodyStream(source: BodySource, signal: AbortSignal): Readable {
  let isPaused = false;
  const goOn = () => {
    if (isPaused && !signal.aborted) source.resume();
    isPaused = false;
  };
  const stream = new Readable({
    highWaterMark: UPLOAD_BUFFER_BYTES,
    read: goOn,
    destroy: (error, callback) => {
      goOn();
      callback(error);
    },
  });
  source.onData((chunk, isLast) => {
    if (stream.destroyed) return;
    const isRoom = stream.push(Buffer.from(new Uint8Array(chunk)));
    if (isLast) stream.push(null);
    else if (!isRoom && !isPaused) {
      isPaused = true;
      source.pause();
    }
  });
  signal.addEventListener('abort', () => stream.destroy(new Error('the client went away')), { once: true });
  return stream;
}
