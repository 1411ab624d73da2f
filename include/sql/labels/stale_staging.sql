/*
Purpose     The attempts that died and left rows behind.
Parameters  @stale_before char(32): keys start with the time of their attempt, so a smaller one belongs to
            no living attempt.
Grain       One row per attempt.
*/
SELECT DISTINCT s.staging_key
FROM dbo.customer_clusters_staging AS s
WHERE s.staging_key < CAST(@stale_before AS char(32))
