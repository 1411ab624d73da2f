/*
Purpose     Record how the labels of an as_of came about.
Parameters  One per column of dbo.clustering_runs.
*/
INSERT INTO dbo.clustering_runs (
    as_of, run_id, k, k_method, k_reason, k_groups, k_clear, scaling, outliers, seed, inertia, customers,
    centroids, continuity, baseline, features_sha256, published_at
)
VALUES (
    @as_of, @run_id, @k, @k_method, @k_reason, @k_groups, @k_clear, @scaling, @outliers, @seed, @inertia,
    @customers, @centroids, @continuity, @baseline, @features_sha256, @published_at
)
