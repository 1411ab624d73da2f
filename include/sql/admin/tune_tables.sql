/*
Purpose     Of use for many customers; nothing needs it. In the store's database, by its owner, once the
            tables of include/sql/schema are there. May be run again: it then rebuilds the indexes anew.
Notes       Pages are compressed where two years of every customer are kept; all editions can since SQL
            Server 2016 SP1.
*/
ALTER TABLE dbo.customer_clusters REBUILD WITH (DATA_COMPRESSION = PAGE);
