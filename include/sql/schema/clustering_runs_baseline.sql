/*
Purpose     Bring a dbo.clustering_runs that is older than this column up to date.
*/
ALTER TABLE dbo.clustering_runs ADD baseline nvarchar(MAX) NULL
