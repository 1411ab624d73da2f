/*
Purpose     Publish what an attempt loaded into staging.
Parameters  @as_of date; @staging_key char(32): the attempt.
*/
INSERT INTO dbo.customer_clusters (
    as_of, customer, orderRatio, itemsRatio, monetaryRatio, frequency, cluster
)
SELECT
    @as_of AS as_of,
    s.customer,
    s.orderRatio,
    s.itemsRatio,
    s.monetaryRatio,
    s.frequency,
    s.cluster
FROM dbo.customer_clusters_staging AS s
WHERE s.staging_key = CAST(@staging_key AS char(32))
