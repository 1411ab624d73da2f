/*
Purpose     How each published set of labels came about. Written in the transaction that publishes
            the labels, so a row here says that the set is complete.
Grain       One row per as_of; published_at is UTC; centroids and continuity are JSON. Later migrations add
            k_groups, k_clear, outliers and baseline.
*/
CREATE TABLE dbo.clustering_runs (
    as_of date NOT NULL,
    run_id nvarchar(250) NOT NULL,
    k tinyint NOT NULL,
    k_method varchar(20) NOT NULL,
    k_reason nvarchar(1000) NOT NULL,
    scaling varchar(20) NOT NULL,
    seed int NOT NULL,
    inertia float NOT NULL,
    customers bigint NOT NULL,
    centroids nvarchar(MAX) NOT NULL,
    continuity nvarchar(MAX) NOT NULL,
    features_sha256 char(64) NOT NULL,
    published_at datetime2(0) NOT NULL,
    CONSTRAINT pk_clustering_runs PRIMARY KEY (as_of)
)
