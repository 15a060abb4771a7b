import type { RunReference } from './job-store.ts';
import type { Chunks, Page, Scope, TimeMs } from './store.ts';

/** A public URL that runs a function. */
export interface WebhookRecord {
  /** The secret of its URL: fully random. */
  readonly id: string;
  readonly projectId: string;
  readonly description: string | null;
  /** Null, like the version, where an alias says what runs. */
  readonly functionId: string | null;
  readonly functionVersion: number | null;
  readonly functionAlias: string | null;
  readonly createdAt: TimeMs;
  readonly updatedAt: TimeMs | null;
}

export interface WebhookStore {
  insert(record: WebhookRecord): Promise<void>;
  get(id: string, scope: Scope): Promise<WebhookRecord | undefined>;
  list(page: Page): Chunks<WebhookRecord>;
  /** The record after the change, or undefined where there is none. Sets `updatedAt`. */
  update(id: string, change: Partial<Omit<WebhookRecord, 'id' | 'projectId'>>): Promise<WebhookRecord | undefined>;
  delete(id: string): Promise<boolean>;
  /** True if a webhook of any project refers to it. */
  has(reference: RunReference): Promise<boolean>;
}
