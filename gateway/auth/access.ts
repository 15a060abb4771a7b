/** What an authenticator knows of who asks. The same person should be the same object: what policy says is kept by it. */
export interface Identity {
  /** Null where callers are not told apart. */
  readonly userId: string | null;
  readonly projectId: string;
  readonly roles: readonly string[];
}

/** Who asks. */
export interface Caller extends Identity {
  readonly isAdmin: boolean;
}

/** A caller in one operation, with what policy lets that operation touch. */
export interface Access extends Caller {
  /** The project whose records the operation sees; null: those of every project. Stores take it as it is. */
  readonly scope: string | null;
}

/** Everybody, while authentication is off: one project, and nothing is checked. */
export const ANYBODY: Access = Object.freeze({
  userId: null,
  projectId: 'default',
  roles: [],
  isAdmin: true,
  scope: null,
});

/** What the service does in a project without anybody asking: jobs, webhooks. */
export function serviceIn(projectId: string): Access {
  return { userId: null, projectId, roles: [], isAdmin: false, scope: projectId };
}

/** Who calls a public operation: no project, so that nothing is in scope. */
export const NOBODY: Access = Object.freeze({ userId: null, projectId: '', roles: [], isAdmin: false, scope: '' });

/** For records in memory; stores apply the scope in their queries. */
export function isInScope({ scope }: Access, projectId: string): boolean {
  return scope === null || scope === projectId;
}

/** The same caller, seeing no more than the own project. */
export function ownOnly(access: Access): Access {
  return access.scope === access.projectId ? access : { ...access, scope: access.projectId };
}
