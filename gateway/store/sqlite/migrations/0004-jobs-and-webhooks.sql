CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  name TEXT,
  function_id TEXT,
  function_alias TEXT,
  function_version INTEGER NOT NULL,
  function_input TEXT,
  pattern TEXT,
  status TEXT NOT NULL,
  count INTEGER,
  first_execution_at INTEGER NOT NULL,
  next_execution_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER
) STRICT;
CREATE INDEX jobs_order ON jobs (created_at, id);
CREATE INDEX jobs_project_order ON jobs (project_id, created_at, id);
CREATE INDEX jobs_due ON jobs (next_execution_at) WHERE status = 'running';
CREATE INDEX jobs_function ON jobs (function_id) WHERE function_id IS NOT NULL;
CREATE INDEX jobs_alias ON jobs (project_id, function_alias) WHERE function_alias IS NOT NULL;

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  description TEXT,
  function_id TEXT,
  function_version INTEGER,
  function_alias TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER
) STRICT;
CREATE INDEX webhooks_order ON webhooks (created_at, id);
CREATE INDEX webhooks_project_order ON webhooks (project_id, created_at, id);
CREATE INDEX webhooks_function ON webhooks (function_id) WHERE function_id IS NOT NULL;
CREATE INDEX webhooks_alias ON webhooks (project_id, function_alias) WHERE function_alias IS NOT NULL;
