/*
Purpose     How much there is to read, and how far it reaches: whether the night's load has happened.
Parameters  @as_of date: later sales and returns are left out, as in return_features.sql.
Grain       One row per table and day (NULL: a date that is NULL or not in date_dim), of rows with a
            customer; and one row for dbo.customer, without day and amount.
Notes       One scan of each table, by a date that a columnstore index holds in order.
*/
WITH days AS (
    SELECT
        d.d_date_sk AS date_sk,
        MAX(d.d_date) AS day_date
    FROM dbo.date_dim AS d
    GROUP BY d.d_date_sk
),

counted AS (
    SELECT
        'store_sales' AS source,
        ss.ss_sold_date_sk AS date_sk,
        COUNT_BIG(*) AS n,
        SUM(CAST(ss.ss_net_paid AS float)) AS amount
    FROM dbo.store_sales AS ss
    WHERE ss.ss_customer_sk IS NOT NULL
    GROUP BY ss.ss_sold_date_sk
    UNION ALL
    SELECT
        'store_returns' AS source,
        sr.sr_returned_date_sk AS date_sk,
        COUNT_BIG(*) AS n,
        SUM(CAST(sr.sr_return_amt AS float)) AS amount
    FROM dbo.store_returns AS sr
    WHERE sr.sr_customer_sk IS NOT NULL
    GROUP BY sr.sr_returned_date_sk
)

SELECT
    c.source,
    CAST(d.day_date AS date) AS day_date,
    CAST(SUM(c.n) AS bigint) AS n,
    CAST(COALESCE(SUM(c.amount), 0) AS float) AS amount
FROM counted AS c
LEFT JOIN days AS d ON c.date_sk = d.date_sk
WHERE d.day_date IS NULL OR d.day_date < @as_of
GROUP BY c.source, d.day_date
UNION ALL
SELECT
    'customer' AS source,
    CAST(NULL AS date) AS day_date,
    COUNT_BIG(*) AS n,
    CAST(0 AS float) AS amount
FROM dbo.customer
