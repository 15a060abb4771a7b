/** A caller's key with what it is good for; keys belong to the project of the execution. */
export interface IdempotencyKey {
  readonly text: string;
  /** Tells requests apart: the same key with another fingerprint is a mistake of the caller. */
  readonly fingerprint: string;
}

/** What an earlier request took a key for. */
export interface TakenKey {
  readonly executionId: string;
  readonly fingerprint: string;
}
