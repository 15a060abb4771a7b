-- Published versions of functions, and aliases that point at a function or at one of its versions.

CREATE TABLE function_versions (
  function_id TEXT NOT NULL,
  version_number INTEGER NOT NULL,
  id TEXT NOT NULL,
  project_id TEXT NOT NULL, -- the function's
  description TEXT,
  md5 TEXT NOT NULL,
  package_digest TEXT NOT NULL,
  entry TEXT,
  cpu_millicores INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  timeout_seconds INTEGER NOT NULL,
  count INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER,
  PRIMARY KEY (function_id, version_number)
) STRICT;
CREATE INDEX function_versions_package ON function_versions (package_digest);

CREATE TABLE function_aliases (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  name TEXT NOT NULL,
  function_id TEXT NOT NULL,
  function_version INTEGER NOT NULL,
  description TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER
) STRICT;
CREATE UNIQUE INDEX function_aliases_name ON function_aliases (project_id, name);
CREATE UNIQUE INDEX function_aliases_target ON function_aliases (project_id, function_id, function_version);
CREATE INDEX function_aliases_any_project ON function_aliases (name);
CREATE INDEX function_aliases_function ON function_aliases (function_id, function_version);
CREATE INDEX function_aliases_order ON function_aliases (created_at, id);
CREATE INDEX function_aliases_project ON function_aliases (project_id, created_at, id);

-- One row. Rises with every change of functions, versions and aliases: what other processes keep of them in memory is
-- out of date then.
CREATE TABLE definitions (
  revision INTEGER NOT NULL
) STRICT;
INSERT INTO definitions (revision) VALUES (0);
