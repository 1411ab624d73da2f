/*
Purpose     How far the days that were added to the sample store go.
Parameters  @first_ticket bigint: tickets of added days have this number or a greater one.
Grain       One row; keys of dbo.date_dim, NULL where no day was added yet.
*/
SELECT
    (
        SELECT MAX(ss.ss_sold_date_sk)
        FROM dbo.store_sales AS ss
        WHERE ss.ss_ticket_number >= @first_ticket
    ) AS sold,
    (
        SELECT MAX(sr.sr_returned_date_sk)
        FROM dbo.store_returns AS sr
        WHERE sr.sr_ticket_number >= @first_ticket
    ) AS returned
