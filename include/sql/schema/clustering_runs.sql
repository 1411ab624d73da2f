/*
Purpose     How each published set of labels came about. Written in the transaction that publishes
            the labels, so a row here says that the set is complete.
Grain       One row per as_of; published_at is UTC; centroids, continuity and baseline (what
            the guards of the next run compare with) are JSON. Of the k clusters
            k_groups are groups, the others customers far from all others; k_clear is the number of
            groups that the evidence was for, NULL if for none. outliers, k_groups and baseline are NULL in
            rows that are older than these columns.
*/
CREATE TABLE dbo.clustering_runs (
    as_of date NOT NULL,
    run_id nvarchar(250) NOT NULL,
    k tinyint NOT NULL,
    k_method varchar(20) NOT NULL,
    k_reason nvarchar(1000) NOT NULL,
    k_groups tinyint NULL,
    k_clear tinyint NULL,
    scaling varchar(20) NOT NULL,
    outliers varchar(20) NULL,
    seed int NOT NULL,
    inertia float NOT NULL,
    customers bigint NOT NULL,
    centroids nvarchar(MAX) NOT NULL,
    continuity nvarchar(MAX) NOT NULL,
    baseline nvarchar(MAX) NULL,
    features_sha256 char(64) NOT NULL,
    published_at datetime2(0) NOT NULL,
    CONSTRAINT pk_clustering_runs PRIMARY KEY (as_of)
)
