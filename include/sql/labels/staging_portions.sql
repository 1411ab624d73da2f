/*
Purpose     Where to cut what an attempt has loaded into portions.
Parameters  @staging_key char(32): the attempt; @portion int: customers in each.
Grain       One row per whole portion, in their order: its last customer.
*/
SELECT n.customer
FROM (
    SELECT
        s.customer,
        ROW_NUMBER() OVER (ORDER BY s.customer) AS place
    FROM dbo.customer_clusters_staging AS s
    WHERE s.staging_key = CAST(@staging_key AS char(32))
) AS n
WHERE n.place % @portion = 0
ORDER BY n.customer ASC
