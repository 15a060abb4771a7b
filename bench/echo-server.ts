import uWS, { type HttpResponse } from 'uWebSockets.js';

/**
 * The limit that the product is compared with: a process that parses the JSON body of a POST and answers JSON which
 * carries it back, and does nothing else. The bodies of its answers have as many bytes as the argument says.
 *
 *   node echo-server.js ANSWER_BYTES       prints its port
 */
const answerBytes = Number(process.argv[2]);

function answerOf(body: Buffer): string {
  const value: unknown = JSON.parse(body.toString());
  const text = JSON.stringify({ echo: value, padding: '' });
  const missing = Math.max(0, answerBytes - Buffer.byteLength(text));
  return `${text.slice(0, -2)}${'x'.repeat(missing)}"}`;
}

function answer(response: HttpResponse, body: Buffer): void {
  const text = answerOf(body);
  response.cork(() => {
    response.writeStatus('201 Created').writeHeader('Content-Type', 'application/json').end(text);
  });
}

const app = uWS.App().post('/*', (response) => {
  const chunks: Buffer[] = [];
  let isAborted = false;
  response.onAborted(() => (isAborted = true));
  response.onData((chunk, isLast) => {
    chunks.push(Buffer.from(Buffer.from(chunk))); // a copy: the bytes are gone after this callback
    if (isLast && !isAborted) answer(response, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
  });
});

app.listen('127.0.0.1', 0, (socket) => {
  if (socket === false) throw new Error('the echo server cannot listen');
  process.stdout.write(`${uWS.us_socket_local_port(socket)}\n`);
});
