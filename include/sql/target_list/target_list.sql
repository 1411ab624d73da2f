/*
Purpose     The customers of one cluster, with what marketing needs to write to them.
Parameters  @as_of date: the published labels to read; orders on or after this day are left out, by
            the rule of return_features.sql. @label tinyint: the cluster.
Grain       One row per customer of the cluster, sorted by customer; a customer that dbo.customer
            does not know has no address. Who is excluded, and why, is decided in target_list.py.
*/
WITH orders AS (
    SELECT
        ss.ss_customer_sk AS customer,
        COUNT_BIG(DISTINCT ss.ss_ticket_number) AS orders_count,
        MAX(d.d_date) AS last_purchase
    FROM dbo.store_sales AS ss
    LEFT JOIN dbo.date_dim AS d ON ss.ss_sold_date_sk = d.d_date_sk
    WHERE
        ss.ss_customer_sk IS NOT NULL
        AND (d.d_date IS NULL OR d.d_date < @as_of)
    GROUP BY ss.ss_customer_sk
)

SELECT
    cc.customer,
    c.c_email_address AS email,
    c.c_salutation AS salutation,
    c.c_first_name AS first_name,
    c.c_last_name AS last_name,
    CAST(o.last_purchase AS date) AS last_purchase,
    CAST(COALESCE(o.orders_count, 0) AS bigint) AS orders,
    cc.frequency
FROM dbo.customer_clusters AS cc
LEFT JOIN dbo.customer AS c ON cc.customer = c.c_customer_sk
LEFT JOIN orders AS o ON cc.customer = o.customer
WHERE cc.as_of = @as_of AND cc.cluster = @label
ORDER BY cc.customer
