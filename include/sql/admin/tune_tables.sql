/*
Purpose     Of use for many customers; nothing needs it. In the store's database, by its owner, once the
            tables of include/sql/schema are there. May be run again: it then rebuilds the indexes anew.
Notes       Of two days at once, one no longer waits until the other has loaded and cleared its rows in
            staging: SQL Server would lock the whole table from about 5,000 rows on. Locks of 100,000 rows,
            as many as a batch of a load has, take about 10 MB. Pages are compressed where two years of every
            customer are kept; all editions can since SQL Server 2016 SP1.
*/
ALTER TABLE dbo.customer_clusters_staging SET (LOCK_ESCALATION = DISABLE); -- noqa: PRS
ALTER TABLE dbo.customer_clusters REBUILD WITH (DATA_COMPRESSION = PAGE);
