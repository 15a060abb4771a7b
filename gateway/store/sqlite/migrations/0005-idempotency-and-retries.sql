-- Retries of asynchronous executions: the policy as JSON text, null where nothing is run again.
ALTER TABLE functions ADD COLUMN retry TEXT;

-- attempt: the one that runs, waits or was the last. first_attempt: the one that this round began with; null where an
-- execution has only one attempt. next_attempt_at: when a waiting attempt is due; null unless one waits.
ALTER TABLE executions ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE executions ADD COLUMN first_attempt INTEGER;
ALTER TABLE executions ADD COLUMN retry TEXT;
ALTER TABLE executions ADD COLUMN next_attempt_at INTEGER;
CREATE INDEX executions_due ON executions (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- Keys of callers, good for one execution of a project each. A key outlives its execution: it is not good for another.
CREATE TABLE idempotency_keys (
  project INTEGER NOT NULL, -- a number of names
  text TEXT NOT NULL,
  fingerprint TEXT NOT NULL, -- of the request that took it
  execution_id TEXT NOT NULL,
  taken_at INTEGER NOT NULL,
  PRIMARY KEY (project, text)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_age ON idempotency_keys (taken_at);
