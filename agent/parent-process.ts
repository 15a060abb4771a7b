import type { FrameReader } from './host-protocol.ts';

export interface HostParentEvents {
  onFrame(frame: FrameReader): void;
  /** Comes once, when a parent that was up is gone; its children may still live. */
  onGone(reason: string): void;
}

/** The parent process of a language host, wherever it runs. */
export interface ParentProcess {
  send(frame: Buffer): void;
  /** Ends it with its children; resolves when it is gone. May be called twice. */
  end(): Promise<void>;
  /** Kills what a child of a parent that is gone has left behind. */
  killSession(pid: number): void;
}

/**
 * Resolves to a parent that is up; rejects where none comes up. `onSpawned` gets it at once, so that it can be ended
 * before it is up.
 */
export type StartParent = (
  events: HostParentEvents,
  onSpawned: (parent: ParentProcess) => void,
) => Promise<ParentProcess>;
