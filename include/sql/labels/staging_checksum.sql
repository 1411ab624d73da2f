/*
Purpose     What arrived in staging, to compare with labels.parquet before publishing it.
Parameters  @staging_key char(32): the attempt.
Grain       One row. The ratios have seven decimals, so their sums in units of 1e-7 are exact.
*/
SELECT
    COUNT_BIG(*) AS n,
    SUM(CAST(s.customer AS decimal(38, 0))) AS customer,
    SUM(CAST(s.customer AS decimal(38, 0)) * (s.cluster + 1)) AS cluster,
    SUM(CAST(s.frequency AS decimal(38, 0))) AS frequency,
    SUM(CAST(ROUND(s.orderRatio * 10000000, 0) AS decimal(38, 0))) AS orderRatio,
    SUM(CAST(ROUND(s.itemsRatio * 10000000, 0) AS decimal(38, 0))) AS itemsRatio,
    SUM(CAST(ROUND(s.monetaryRatio * 10000000, 0) AS decimal(38, 0))) AS monetaryRatio
FROM dbo.customer_clusters_staging AS s
WHERE s.staging_key = CAST(@staging_key AS char(32))
