/*
Purpose     What the guards of the next run compare with, as JSON.
*/
ALTER TABLE dbo.clustering_runs ADD baseline nvarchar(MAX) NULL
