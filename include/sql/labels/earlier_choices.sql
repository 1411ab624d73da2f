/*
Purpose     What earlier runs chose, and what their evidence was: k is kept until that lasts.
Parameters  @as_of date: the run at hand; @scaling varchar, @outliers varchar: its settings, for runs
            with others say nothing of it; @days int: how many runs.
Grain       One row per run, newest first.
*/
SELECT TOP (@days)
    cr.as_of,
    cr.k,
    cr.k_groups,
    cr.k_clear
FROM dbo.clustering_runs AS cr
WHERE
    cr.as_of < @as_of
    AND cr.scaling = @scaling
    AND cr.outliers = @outliers
    AND cr.k_groups IS NOT NULL
ORDER BY cr.as_of DESC
