/*
Purpose     Of the k clusters, how many are groups. The others are customers far from all others.
*/
ALTER TABLE dbo.clustering_runs ADD k_groups tinyint NULL
