import type { Access } from '../../gateway/auth/access.ts';

/** A member of a project, in an operation on its own records. */
export function accessOf(projectId: string): Access {
  return { userId: `user of ${projectId}`, projectId, roles: ['member'], isAdmin: false, scope: projectId };
}

/** An administrator of a project, in an operation on every project's records. */
export function adminOf(projectId: string): Access {
  return { userId: `admin of ${projectId}`, projectId, roles: ['admin'], isAdmin: true, scope: null };
}
