-- Executions that wait for their start are taken up function by function.
DROP INDEX executions_running;
CREATE INDEX executions_running ON executions (gateway, is_started, function) WHERE status = 0;
