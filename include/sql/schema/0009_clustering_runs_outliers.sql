/*
Purpose     What the run did with customers far from all others.
*/
ALTER TABLE dbo.clustering_runs ADD outliers varchar(20) NULL
