/*
Purpose     Whether a store is the sample store, whole: no other one has its customers' ids.
Parameters  @first_ticket bigint: tickets of added days have this number or a greater one.
Grain       One row; the ids are NULL where there is no customer. Returns are loaded last, and counted
            without those of added days.
*/
SELECT
    CAST(MIN(c.c_customer_id) AS varchar(16)) AS first_id,
    CAST(MAX(c.c_customer_id) AS varchar(16)) AS last_id,
    (
        SELECT COUNT_BIG(*)
        FROM dbo.store_returns AS sr
        WHERE sr.sr_ticket_number < @first_ticket
    ) AS returns
FROM dbo.customer AS c
