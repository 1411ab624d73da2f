/*
Purpose     The run whose labels of a day are published, to see whether another one would replace it.
Parameters  @as_of date.
Grain       One row; none where nothing is published.
*/
SELECT
    cr.as_of,
    cr.run_id,
    cr.k,
    cr.scaling,
    cr.outliers,
    cr.centroids,
    cr.features_sha256
FROM dbo.clustering_runs AS cr
WHERE cr.as_of = @as_of
