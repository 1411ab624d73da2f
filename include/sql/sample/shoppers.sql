/*
Purpose     Who can buy or return something in the sample store without a change of any feature.
Grain       One row per customer who has not returned anything, or never bought anything; bought is 1
            for the first. Sorted by customer.
*/
SELECT
    c.c_customer_sk AS customer,
    CASE WHEN ss.customer IS NULL THEN 0 ELSE 1 END AS bought
FROM dbo.customer AS c
LEFT JOIN (
    SELECT DISTINCT ss_customer_sk AS customer FROM dbo.store_sales
) AS ss ON c.c_customer_sk = ss.customer
LEFT JOIN (
    SELECT DISTINCT sr_customer_sk AS customer FROM dbo.store_returns
) AS sr ON c.c_customer_sk = sr.customer
WHERE ss.customer IS NULL OR sr.customer IS NULL
ORDER BY c.c_customer_sk
