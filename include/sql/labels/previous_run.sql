/*
Purpose     The published run to compare with.
Parameters  @as_of date: the run at hand.
Grain       One row: the newest run before @as_of; none on the first.
*/
SELECT TOP (1)
    cr.as_of,
    cr.run_id,
    cr.k,
    cr.centroids,
    cr.baseline
FROM dbo.clustering_runs AS cr
WHERE cr.as_of < @as_of
ORDER BY cr.as_of DESC
