-- Lists of one project's executions must not look at those of others.
CREATE INDEX executions_project ON executions (project);
