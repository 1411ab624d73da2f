/*
Purpose     Of two days at once, one does not wait for the other's rows in staging: SQL Server would lock the
            whole table from about 5,000 rows on. Locks of 250,000 rows, as many as a
            portion of a deletion has, take about 25 MB.
*/
ALTER TABLE dbo.customer_clusters_staging SET (LOCK_ESCALATION = DISABLE) -- noqa: PRS
