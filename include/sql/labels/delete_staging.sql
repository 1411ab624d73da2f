/*
Purpose     Clear what an attempt has published, and what attempts that died left behind.
Parameters  @staging_key char(32): the attempt; @stale_before char(32): keys start with the time of
            their attempt, so a smaller one belongs to no living attempt.
Notes       Both conditions are seeks on the primary key. The casts keep them so: a text that the
            driver sends as nvarchar would turn the column instead.
*/
DELETE FROM dbo.customer_clusters_staging
WHERE
    staging_key = CAST(@staging_key AS char(32))
    OR staging_key < CAST(@stale_before AS char(32))
