/*
Purpose     Clear a portion of what an attempt has loaded.
Parameters  @staging_key char(32): the attempt; @after bigint, @until bigint: the customers, from beyond the
            one to the other.
Notes       The cast keeps the condition a seek on the primary key: a text that the driver sends as
            nvarchar would turn the column instead.
*/
DELETE FROM dbo.customer_clusters_staging
WHERE
    staging_key = CAST(@staging_key AS char(32))
    AND customer > @after
    AND customer <= @until
