-- Runtimes, functions, executions. Times are milliseconds since 1970 UTC.

CREATE TABLE runtimes (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  name TEXT,
  image TEXT NOT NULL,
  description TEXT,
  is_public INTEGER NOT NULL,
  is_trusted INTEGER NOT NULL,
  status TEXT NOT NULL,
  status_reason TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER
) STRICT;
CREATE INDEX runtimes_order ON runtimes (created_at, id);

CREATE TABLE functions (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  name TEXT,
  description TEXT,
  runtime_id TEXT,
  code TEXT NOT NULL,
  package_digest TEXT,
  entry TEXT,
  cpu_millicores INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  timeout_seconds INTEGER NOT NULL,
  count INTEGER NOT NULL,
  latest_version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER
) STRICT;
CREATE INDEX functions_order ON functions (created_at, id);
CREATE INDEX functions_runtime ON functions (runtime_id);
CREATE INDEX functions_package ON functions (package_digest);

-- Texts that many executions repeat (ids of projects and functions), so that a row holds small numbers. Never emptied.
CREATE TABLE names (
  number INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

-- key: the leading bits of the execution's id (execution-id.ts), so that look-up by id, order and age need no index.
CREATE TABLE executions (
  key INTEGER PRIMARY KEY,
  tail TEXT NOT NULL,
  project INTEGER NOT NULL,
  function INTEGER NOT NULL,
  function_version INTEGER NOT NULL,
  function_alias TEXT,
  description TEXT,
  status INTEGER NOT NULL, -- 0 running, 1 success, 2 failed, 3 error
  is_sync INTEGER NOT NULL,
  is_started INTEGER NOT NULL,
  input TEXT,
  output TEXT,
  duration REAL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER
) STRICT;
CREATE INDEX executions_function ON executions (function);
CREATE INDEX executions_running ON executions (is_started) WHERE status = 0;

CREATE TABLE execution_logs (
  key INTEGER PRIMARY KEY,
  text BLOB NOT NULL,
  is_cut INTEGER NOT NULL,
  is_finished INTEGER NOT NULL
) STRICT;
