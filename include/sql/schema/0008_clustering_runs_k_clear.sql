/*
Purpose     The number of groups that the evidence was for; NULL if for none.
*/
ALTER TABLE dbo.clustering_runs ADD k_clear tinyint NULL
