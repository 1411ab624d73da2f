/*
Purpose     Columns of the store that dynamic data masking hides from this login: it would read 0 for an
            amount, and aXXX@XXXX.com for an address, which is a valid one.
Grain       One row per masked column.
Notes       UNMASK is a right on the database, and since SQL Server 2022 on tables and columns too; where it
            is not known, HAS_PERMS_BY_NAME gives NULL.
*/
SELECT
    OBJECT_NAME(c.object_id) AS table_name,
    c.name AS column_name
FROM sys.columns AS c
WHERE
    c.is_masked = 1
    AND c.object_id IN (
        OBJECT_ID('dbo.store_sales'),
        OBJECT_ID('dbo.store_returns'),
        OBJECT_ID('dbo.customer'),
        OBJECT_ID('dbo.date_dim'),
        OBJECT_ID('dbo.email_suppressions')
    )
    AND COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK'), 0) = 0
    AND COALESCE(
        HAS_PERMS_BY_NAME(
            'dbo.' + OBJECT_NAME(c.object_id), 'OBJECT', 'UNMASK', c.name, 'COLUMN'
        ),
        0
    ) = 0
