/*
Purpose     The columns of the store that the statements read, and what the database has for each.
Grain       One row per column that is read. kind is what it must hold: key (a whole number), money, day,
            text, or any. data_type is NULL if there is no such column, or this login may not see it.
Notes       Names compare as the database's collation does, as they will in the statements.
*/
SELECT
    r.table_name,
    r.column_name,
    r.kind,
    c.DATA_TYPE AS data_type,
    CAST(c.NUMERIC_SCALE AS int) AS numeric_scale
FROM (
    VALUES
    ('store_sales', 'ss_customer_sk', 'key'),
    ('store_sales', 'ss_sold_date_sk', 'key'),
    ('store_sales', 'ss_ticket_number', 'any'),
    ('store_sales', 'ss_item_sk', 'any'),
    ('store_sales', 'ss_net_paid', 'money'),
    ('store_returns', 'sr_customer_sk', 'key'),
    ('store_returns', 'sr_returned_date_sk', 'key'),
    ('store_returns', 'sr_ticket_number', 'any'),
    ('store_returns', 'sr_item_sk', 'any'),
    ('store_returns', 'sr_return_amt', 'money'),
    ('customer', 'c_customer_sk', 'key'),
    ('customer', 'c_salutation', 'text'),
    ('customer', 'c_first_name', 'text'),
    ('customer', 'c_last_name', 'text'),
    ('customer', 'c_email_address', 'text'),
    ('date_dim', 'd_date_sk', 'key'),
    ('date_dim', 'd_date', 'day')
) AS r(table_name, column_name, kind)
LEFT JOIN INFORMATION_SCHEMA.COLUMNS AS c
    ON
        c.TABLE_SCHEMA = 'dbo'
        AND r.table_name = c.TABLE_NAME
        AND r.column_name = c.COLUMN_NAME
ORDER BY r.table_name, r.column_name
