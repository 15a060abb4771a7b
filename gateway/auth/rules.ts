/** Rules that others refer to, in the language of `policy-rule.ts`. An operator's policy file overrides them too. */
export const NAMED_RULES = {
  context_is_admin: 'role:admin',
  owner: 'project_id:%(project_id)s',
  admin_or_owner: 'rule:context_is_admin or rule:owner',
  default: 'rule:admin_or_owner',
} as const;

/**
 * Every operation's rule of access. `tenant` (`rule:default`): members of a project, on its own records; administrators
 * on any. `owner` (`rule:owner`): members of a project on its own records, administrators too no further. `admin`
 * (`rule:context_is_admin`): administrators. `public`: everybody, without authentication. An operator's policy file
 * overrides all but the public ones, by name.
 */
export const RULES = {
  public: 'public',
  'runtime:create': 'admin',
  'runtime:update': 'admin',
  'runtime:delete': 'admin',
  'runtime:get': 'tenant',
  'runtime:get_all': 'tenant',
  'runtime_pool:get_all': 'admin',
  'function:create': 'tenant',
  'function:get': 'tenant',
  'function:get_all': 'tenant',
  'function:get_all:all_projects': 'admin',
  'function:update': 'tenant',
  'function:delete': 'owner',
  'function:scale_up': 'admin',
  'function:scale_down': 'admin',
  'function:detach': 'admin',
  'function_worker:get_all': 'admin',
  'function_version:create': 'owner',
  'function_version:get': 'tenant',
  'function_version:get_all': 'tenant',
  'function_version:delete': 'owner',
  'function_version:scale_up': 'admin',
  'function_version:scale_down': 'admin',
  'function_version:detach': 'admin',
  'function_alias:create': 'tenant',
  'function_alias:get': 'tenant',
  'function_alias:get_all': 'tenant',
  'function_alias:get_all:all_projects': 'admin',
  'function_alias:update': 'tenant',
  'function_alias:delete': 'tenant',
  'execution:create': 'tenant',
  'execution:get': 'tenant',
  'execution:get_all': 'tenant',
  'execution:get_all:all_projects': 'admin',
  'execution:delete': 'tenant',
  'execution:redrive': 'tenant',
  'job:create': 'tenant',
  'job:get': 'tenant',
  'job:get_all': 'tenant',
  'job:get_all:all_projects': 'admin',
  'job:update': 'tenant',
  'job:delete': 'tenant',
  'webhook:create': 'owner',
  'webhook:get': 'tenant',
  'webhook:get_all': 'tenant',
  'webhook:get_all:all_projects': 'admin',
  'webhook:update': 'owner',
  'webhook:delete': 'tenant',
} as const satisfies Readonly<Record<string, 'public' | 'tenant' | 'owner' | 'admin'>>;

export type RuleName = keyof typeof RULES;
