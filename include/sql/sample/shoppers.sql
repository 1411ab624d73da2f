/*
Purpose     Who can buy or return something in the sample store without a change of any feature.
Grain       One row per customer who has not returned anything, or never bought anything; bought is 1
            for the first. Sorted by customer.
*/
WITH buyers AS (
    SELECT DISTINCT ss_customer_sk AS customer
    FROM dbo.store_sales
),

returners AS (
    SELECT DISTINCT sr_customer_sk AS customer
    FROM dbo.store_returns
)

SELECT
    c.c_customer_sk AS customer,
    CASE WHEN b.customer IS NULL THEN 0 ELSE 1 END AS bought
FROM dbo.customer AS c
LEFT JOIN buyers AS b ON c.c_customer_sk = b.customer
LEFT JOIN returners AS r ON c.c_customer_sk = r.customer
WHERE b.customer IS NULL OR r.customer IS NULL
ORDER BY c.c_customer_sk
