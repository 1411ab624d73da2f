/*
Purpose     Where to look for the list before this one.
Parameters  @as_of date: the run at hand.
Grain       One row per published as_of before @as_of, newest first.
*/
SELECT
    cr.as_of,
    cr.run_id
FROM dbo.clustering_runs AS cr
WHERE cr.as_of < @as_of
ORDER BY cr.as_of DESC
