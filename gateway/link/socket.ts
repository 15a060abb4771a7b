import type { HttpRequest, HttpResponse, TemplatedApp, WebSocket, us_socket_context_t } from 'uWebSockets.js';
import { decodeFrame } from '../../protocol/codec.ts';
import { MAX_FRAME_BYTES, SILENCE_MS } from '../../protocol/limits.ts';
import { Kind, describeMessage, type AgentMessage } from '../../protocol/message.ts';
import type { AgentAuthenticator, AgentIdentity } from './agent-identity.ts';
import { refuseHello, type LinkSet } from './link-set.ts';
import type { Link, LinkSocket } from './link.ts';

/** Agents that do not read are cut off when this much waits for them. */
const MAX_BACKPRESSURE_BYTES = 256 * 1024 * 1024;

interface Session {
  readonly identity: AgentIdentity;
  link: Link | undefined;
  socket: LinkSocket | undefined;
}

export interface LinkServerOptions {
  readonly authenticator: AgentAuthenticator;
  readonly log: { warn(text: string): void; debug(text: string): void };
  /** Silence after which an agent counts as lost; uWebSockets.js takes 8 s and more. */
  readonly silenceMs?: number;
}

/** Accepts the WebSockets of agents at /agent: token at the upgrade, Hello first, then the link's messages. */
export function acceptLinks(app: TemplatedApp, links: LinkSet, options: LinkServerOptions): void {
  app.ws<Session>('/agent', {
    maxPayloadLength: MAX_FRAME_BYTES,
    maxBackpressure: MAX_BACKPRESSURE_BYTES,
    closeOnBackpressureLimit: 1,
    idleTimeout: (options.silenceMs ?? SILENCE_MS) / 1000, // pings go out before; an agent that answers none is closed
    sendPingsAutomatically: true,
    upgrade: (res, req, context) => {
      upgrade(res, req, context, options.authenticator).catch((error: unknown) =>
        options.log.warn(`an agent could not be let in: ${(error as Error).message}`),
      );
    },
    message: (ws, data, isBinary) => {
      if (!isBinary) return ws.end(1003, 'binary messages only');
      try {
        const frame = Buffer.from(new Uint8Array(data)); // a copy: uWebSockets.js uses its buffer again
        for (const message of decodeFrame(frame) as AgentMessage[]) onMessage(ws, message, links, options);
      } catch (error) {
        options.log.warn(`an agent broke the protocol: ${(error as Error).message}`);
        ws.end(1002, 'protocol error');
      }
    },
    close: (ws) => {
      const { link, socket } = ws.getUserData();
      if (link !== undefined && socket !== undefined) {
        (socket as UwsLinkSocket).isOpen = false;
        links.socketLost(link, socket);
      }
    },
  });
}

/** The request is dead once this function first waits: what is needed of it is taken before. */
async function upgrade(
  res: HttpResponse,
  req: HttpRequest,
  context: us_socket_context_t,
  authenticator: AgentAuthenticator,
): Promise<void> {
  let isAborted = false;
  res.onAborted(() => (isAborted = true));
  const [key, protocol, extensions] = [
    req.getHeader('sec-websocket-key'),
    req.getHeader('sec-websocket-protocol'),
    req.getHeader('sec-websocket-extensions'),
  ];
  const identity = await authenticator.authenticate(req.getHeader('authorization'));
  if (isAborted) return;
  res.cork(() => {
    if (identity === undefined) {
      res.writeStatus('401 Unauthorized').writeHeader('content-type', 'text/plain').end('wrong token');
    } else {
      res.upgrade<Session>({ identity, link: undefined, socket: undefined }, key, protocol, extensions, context);
    }
  });
}

function onMessage(ws: WebSocket<Session>, message: AgentMessage, links: LinkSet, options: LinkServerOptions): void {
  const session = ws.getUserData();
  if (session.link !== undefined) {
    if (message.kind !== Kind.Result) options.log.debug(`${session.link.agentName}: ${describeMessage(message)}`);
    return session.link.handle(message);
  }
  if (message.kind !== Kind.Hello) throw new Error('the first message is not Hello');
  const refusal = refuseHello(message, session.identity);
  if (refusal !== undefined) throw new Error(refusal);
  session.socket = new UwsLinkSocket(ws);
  session.link = links.welcome(session.socket, message, session.identity);
}

class UwsLinkSocket implements LinkSocket {
  readonly #ws: WebSocket<Session>;
  isOpen = true;

  constructor(ws: WebSocket<Session>) {
    this.#ws = ws;
  }

  send(frame: Uint8Array): void {
    if (this.isOpen) this.#ws.send(frame, true);
  }

  close(reason: string): void {
    if (this.isOpen) this.#ws.end(1000, reason.slice(0, 100));
  }
}
