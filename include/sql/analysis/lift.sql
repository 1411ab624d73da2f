/*
Purpose     What a list brought about: what those on it did after the mail, beside those who were held out by
            chance. docs/measuring-lift.md says how to read it.
Parameters  @as_of date: the day of the list; @label tinyint; @days int: how long after it to look.
Grain       One row per measure, in the order of their names. A measure's value of a customer is the number
            of orders, the money paid, the money returned, or whether they bought at all. listed and held_out
            are numbers of customers; lift is the difference of the means, low and high its 95 % confidence
            interval (Welch: the groups may vary differently; from a few dozen in each, 1.96 is near enough).
            Of several lists of the day the last that was sent counts.
*/
WITH sent AS (
    SELECT TOP (1)
        tld.as_of,
        tld.label,
        tld.list_sha256
    FROM dbo.target_list_deliveries AS tld
    WHERE
        tld.as_of = @as_of
        AND tld.label = @label
        AND tld.state = 'sent'
        AND tld.attempts > 0
        AND EXISTS (
            SELECT 1 FROM dbo.target_list_members AS m
            WHERE
                m.as_of = tld.as_of
                AND m.label = tld.label
                AND m.list_sha256 = tld.list_sha256
        )
    ORDER BY tld.changed_at DESC
),

days AS (
    SELECT d.d_date_sk
    FROM dbo.date_dim AS d
    WHERE d.d_date >= @as_of AND d.d_date < DATEADD(DAY, @days, @as_of)
),

bought AS (
    SELECT
        s.ss_customer_sk AS customer,
        COUNT(DISTINCT s.ss_ticket_number) AS orders,
        SUM(CAST(s.ss_net_paid AS float)) AS paid
    FROM dbo.store_sales AS s
    INNER JOIN days AS d ON s.ss_sold_date_sk = d.d_date_sk
    GROUP BY s.ss_customer_sk
),

returned AS (
    SELECT
        r.sr_customer_sk AS customer,
        SUM(CAST(r.sr_return_amt AS float)) AS returned
    FROM dbo.store_returns AS r
    INNER JOIN days AS d ON r.sr_returned_date_sk = d.d_date_sk
    GROUP BY r.sr_customer_sk
),

customers AS (
    SELECT
        m.listed,
        CAST(COALESCE(b.orders, 0) AS float) AS orders,
        COALESCE(b.paid, 0) AS paid,
        COALESCE(r.returned, 0) AS returned,
        CASE WHEN b.orders > 0 THEN 1.0E0 ELSE 0.0E0 END AS bought
    FROM dbo.target_list_members AS m
    INNER JOIN sent AS l
        ON
            m.as_of = l.as_of
            AND m.label = l.label
            AND m.list_sha256 = l.list_sha256
    LEFT JOIN bought AS b ON m.customer = b.customer
    LEFT JOIN returned AS r ON m.customer = r.customer
),

measures AS (
    SELECT
        listed,
        'bought' AS measure,
        bought AS value
    FROM customers
    UNION ALL
    SELECT
        listed,
        'orders' AS measure,
        orders AS value
    FROM customers
    UNION ALL
    SELECT
        listed,
        'paid' AS measure,
        paid AS value
    FROM customers
    UNION ALL
    SELECT
        listed,
        'returned' AS measure,
        returned AS value
    FROM customers
),

-- The variance as a mean of squares, for VAR has another name in each dialect.
means AS (
    SELECT
        measure,
        listed,
        COUNT_BIG(*) AS n,
        AVG(value) AS mean
    FROM measures
    GROUP BY measure, listed
),

groups AS (
    SELECT
        g.measure,
        g.listed,
        g.n,
        g.mean,
        SUM((v.value - g.mean) * (v.value - g.mean)) / NULLIF(g.n - 1, 0) / g.n AS squared_error
    FROM means AS g
    INNER JOIN measures AS v ON g.measure = v.measure AND g.listed = v.listed
    GROUP BY g.measure, g.listed, g.n, g.mean
)

SELECT
    t.measure,
    t.n AS listed,
    c.n AS held_out,
    t.mean AS mean_listed,
    c.mean AS mean_held_out,
    t.mean - c.mean AS lift,
    t.mean - c.mean - 1.96E0 * SQRT(t.squared_error + c.squared_error) AS low,
    t.mean - c.mean + 1.96E0 * SQRT(t.squared_error + c.squared_error) AS high
FROM groups AS t
INNER JOIN groups AS c ON t.measure = c.measure
WHERE t.listed = 1 AND c.listed = 0
ORDER BY t.measure ASC
