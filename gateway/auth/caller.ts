/** Who asks, as far as the rules of the service care. */
export interface Caller {
  readonly projectId: string;
  /** May act on every project's resources. */
  readonly isAdmin: boolean;
}

/** Everybody, while authentication is off: one project, and nothing is checked. */
export const ANYBODY: Caller = Object.freeze({ projectId: 'default', isAdmin: true });
