import { ANYBODY, ownOnly, type Access } from '../auth/access.ts';
import type { RuleName } from '../auth/rules.ts';
import { QinlingError } from '../errors.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Filter } from '../store/store.ts';
import { asksForAllProjects, parseListQuery } from './list-query.ts';
import type { QueryArguments } from './operation.ts';

/** What a list of records that belong to projects shows: those in the access' scope that the filters let through. */
export interface ProjectList {
  readonly access: Access;
  readonly filters: readonly Filter[];
}

/**
 * The query of a list that declares PROJECT_ARGUMENTS. Everybody sees the own project's records. Whom `allProjectsRule`
 * lets see more may ask for all, or for some by `project_id`; for others `all_projects` is NOT_ALLOWED, and `project_id`
 * ignored. While authentication is off neither has an effect. Throws INVALID_INPUT.
 */
export function readProjectList(exchange: Exchange, declared: QueryArguments, allProjectsRule: RuleName): ProjectList {
  const filters = parseListQuery(exchange.query, declared);
  const isAll = asksForAllProjects(exchange.query);
  const others = filters.filter(({ field }) => field !== 'projectId');
  const own = { access: ownOnly(exchange.access), filters: others };
  if (!isAll && others.length === filters.length) return own;
  const access = isAll ? exchange.accessBy(allProjectsRule) : accessIfAllowed(exchange, allProjectsRule);
  return access === undefined || access === ANYBODY ? own : { access, filters };
}

function accessIfAllowed(exchange: Exchange, rule: RuleName): Access | undefined {
  try {
    return exchange.accessBy(rule);
  } catch (error) {
    if (error instanceof QinlingError && error.code === 'NOT_ALLOWED') return undefined;
    throw error;
  }
}
