/*
Purpose     Write down that a migration has been run, in the transaction that ran it.
Parameters  @version int; @name varchar(100); @now datetime2(0), UTC.
*/
INSERT INTO dbo.reclustering_migrations (version, name, applied_at)
VALUES (@version, @name, @now)
