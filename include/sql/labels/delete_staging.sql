/*
Purpose     Clear a part of what an attempt has loaded, those with the lowest keys first.
Parameters  @staging_key char(32): the attempt; @portion int: how many rows.
Notes       The casts keep the conditions seeks on the primary key: a text that the driver sends as
            nvarchar would turn the column instead.
*/
DELETE FROM dbo.customer_clusters_staging
WHERE
    staging_key = CAST(@staging_key AS char(32))
    AND customer <= (
        SELECT MAX(p.customer) FROM (
            SELECT TOP (@portion) s.customer
            FROM dbo.customer_clusters_staging AS s
            WHERE s.staging_key = CAST(@staging_key AS char(32))
            ORDER BY s.customer ASC
        ) AS p
    )
