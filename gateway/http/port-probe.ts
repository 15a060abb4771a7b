import { once } from 'node:events';
import { createServer } from 'node:net';

export function cannotListen(host: string, port: number): Error {
  return new Error(`cannot listen on ${host}:${port}: the port is taken or the address is not ours`);
}

/** Rejects where nobody could listen now: for those who want to know before they start what takes time. */
export async function probePort(host: string, port: number): Promise<void> {
  const probe = createServer();
  try {
    probe.listen({ host, port, exclusive: true });
    await once(probe, 'listening');
  } catch {
    throw cannotListen(host, port);
  }
  probe.close();
  await once(probe, 'close');
}
