/*
Purpose     First half of replacing the run of an as_of; always in a transaction with insert_run.sql.
Parameters  @as_of date.
*/
DELETE FROM dbo.clustering_runs
WHERE as_of = @as_of
