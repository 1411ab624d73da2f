/*
Purpose     Four return features per customer, as the store stood at the start of @as_of, and what the
            target list says of their orders.
Parameters  @as_of date: sales and returns on or after this day are left out. A row whose date is
            NULL, or is not in date_dim, counts as always known. This is the only place that says so.
Grain       One row per customer who bought in the store (NULL customers dropped), sorted by customer.
            customers is the number of rows, so that a reader can tell whether they came whole;
            last_purchase is NULL when no order of the customer has a date.
Indexes     Columnstore indexes on store_sales and store_returns suit the two aggregations best;
            without them, cover
            (ss_customer_sk) INCLUDE (ss_sold_date_sk, ss_ticket_number, ss_item_sk, ss_net_paid)
            and the same columns of store_returns.
Notes       Operands are cast to float before dividing: T-SQL's decimal division keeps six decimals
            and its integer division none.
*/
WITH days AS (
    SELECT
        d.d_date_sk AS date_sk,
        MAX(d.d_date) AS day_date,
        CASE WHEN MAX(d.d_date) >= @as_of THEN 1 ELSE 0 END AS is_later
    FROM dbo.date_dim AS d
    GROUP BY d.d_date_sk
),

orders AS (
    SELECT
        ss.ss_customer_sk AS customer,
        COUNT_BIG(DISTINCT ss.ss_ticket_number) AS orders_count,
        COUNT_BIG(ss.ss_item_sk) AS orders_items,
        SUM(ss.ss_net_paid) AS orders_money,
        MAX(d.day_date) AS last_purchase
    FROM dbo.store_sales AS ss
    LEFT JOIN days AS d ON ss.ss_sold_date_sk = d.date_sk
    WHERE ss.ss_customer_sk IS NOT NULL AND COALESCE(d.is_later, 0) = 0
    GROUP BY ss.ss_customer_sk
),

returned AS (
    SELECT
        sr.sr_customer_sk AS customer,
        COUNT_BIG(DISTINCT sr.sr_ticket_number) AS returns_count,
        COUNT_BIG(sr.sr_item_sk) AS returns_items,
        SUM(sr.sr_return_amt) AS returns_money
    FROM dbo.store_returns AS sr
    LEFT JOIN days AS d ON sr.sr_returned_date_sk = d.date_sk
    WHERE sr.sr_customer_sk IS NOT NULL AND COALESCE(d.is_later, 0) = 0
    GROUP BY sr.sr_customer_sk
),

ratios AS (
    SELECT
        o.customer,
        CAST(r.returns_count AS float) / NULLIF(o.orders_count, 0) AS orderRatio,
        CAST(r.returns_items AS float) / NULLIF(o.orders_items, 0) AS itemsRatio,
        CAST(r.returns_money AS float) / NULLIF(CAST(o.orders_money AS float), 0) AS monetaryRatio,
        r.returns_count AS frequency,
        o.orders_count,
        o.last_purchase
    FROM orders AS o
    LEFT JOIN returned AS r ON o.customer = r.customer
)

SELECT
    CAST(customer AS bigint) AS customer,
    CAST(ROUND(COALESCE(orderRatio, 0), 7) AS float) AS orderRatio,
    CAST(ROUND(COALESCE(itemsRatio, 0), 7) AS float) AS itemsRatio,
    CAST(ROUND(COALESCE(monetaryRatio, 0), 7) AS float) AS monetaryRatio,
    CAST(COALESCE(frequency, 0) AS bigint) AS frequency,
    CAST(orders_count AS bigint) AS orders,
    CAST(last_purchase AS date) AS last_purchase,
    CAST(COUNT_BIG(*) OVER () AS bigint) AS customers
FROM ratios
ORDER BY customer
