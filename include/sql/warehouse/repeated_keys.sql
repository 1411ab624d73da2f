/*
Purpose     Keys that must be there once, and are not: a date twice would count its sales on one day or
            another, a customer twice would be written to by either name.
Grain       One row per table in which a key is repeated: how many are, and the lowest of them.
*/
SELECT
    'date_dim.d_date_sk' AS key_name,
    COUNT_BIG(*) AS n,
    CAST(MIN(dd.d_date_sk) AS bigint) AS lowest
FROM (
    SELECT d.d_date_sk
    FROM dbo.date_dim AS d
    WHERE d.d_date_sk IS NOT NULL
    GROUP BY d.d_date_sk
    HAVING COUNT_BIG(*) > 1
) AS dd
HAVING COUNT_BIG(*) > 0
UNION ALL
SELECT
    'customer.c_customer_sk' AS key_name,
    COUNT_BIG(*) AS n,
    CAST(MIN(cc.c_customer_sk) AS bigint) AS lowest
FROM (
    SELECT c.c_customer_sk
    FROM dbo.customer AS c
    WHERE c.c_customer_sk IS NOT NULL
    GROUP BY c.c_customer_sk
    HAVING COUNT_BIG(*) > 1
) AS cc
HAVING COUNT_BIG(*) > 0
