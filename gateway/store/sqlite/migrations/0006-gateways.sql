-- Gateways that use this database at the same time, or did. number: its part of the space of execution ids.
CREATE TABLE gateways (
  id TEXT PRIMARY KEY,
  number INTEGER NOT NULL UNIQUE,
  renewals INTEGER NOT NULL,
  renewed_at INTEGER NOT NULL
) STRICT;

-- Who looks after a running execution (its number in `names`); null: an earlier version of this program did.
ALTER TABLE executions ADD COLUMN gateway INTEGER;
DROP INDEX executions_running;
CREATE INDEX executions_running ON executions (gateway, is_started) WHERE status = 0;
