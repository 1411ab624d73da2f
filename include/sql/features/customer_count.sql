/*
Purpose     How many rows return_features.sql must give: the check that a stream came whole.
Parameters  @as_of date: as in return_features.sql.
Grain       One row.
*/
SELECT COUNT_BIG(DISTINCT ss.ss_customer_sk) AS customers
FROM dbo.store_sales AS ss
WHERE
    NOT EXISTS (
        SELECT 1
        FROM dbo.date_dim AS d
        WHERE d.d_date_sk = ss.ss_sold_date_sk AND d.d_date >= @as_of
    )
