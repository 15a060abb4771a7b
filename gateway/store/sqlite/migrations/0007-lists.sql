-- Lists of one project's functions must not look at those of others.
CREATE INDEX functions_project ON functions (project_id, created_at, id);

-- What did not succeed, or not yet, is looked for often, and is little beside what did: `status=neq:success`.
CREATE INDEX executions_unsuccessful ON executions (project) WHERE status != 1;
