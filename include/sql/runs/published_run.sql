/*
Purpose     The published run of one as_of: what is out, and by which run.
Parameters  @as_of date.
Grain       One row, or none when nothing is published.
*/
SELECT
    cr.as_of,
    cr.run_id,
    cr.k,
    cr.customers,
    cr.features_sha256,
    cr.published_at
FROM dbo.clustering_runs AS cr
WHERE cr.as_of = @as_of
