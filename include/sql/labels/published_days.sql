/*
Purpose     The days that have published labels, to go through them one by one.
Grain       One row per as_of, oldest first.
*/
SELECT cr.as_of
FROM dbo.clustering_runs AS cr
WHERE
    EXISTS (
        SELECT 1 FROM dbo.customer_clusters AS cc
        WHERE cc.as_of = cr.as_of
    )
ORDER BY cr.as_of ASC
