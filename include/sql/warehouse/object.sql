/*
Purpose     A table or view of dbo that this login can see, and whether it has a column.
Parameters  @table_name, @column_name nvarchar; compared as the database compares names.
Grain       One row, none where there is no such table; table_type is BASE TABLE or VIEW, column_name NULL
            where there is no such column.
*/
SELECT
    t.TABLE_TYPE AS table_type,
    c.COLUMN_NAME AS column_name
FROM INFORMATION_SCHEMA.TABLES AS t
LEFT JOIN INFORMATION_SCHEMA.COLUMNS AS c
    ON
        t.TABLE_SCHEMA = c.TABLE_SCHEMA
        AND t.TABLE_NAME = c.TABLE_NAME
        AND @column_name = c.COLUMN_NAME
WHERE t.TABLE_SCHEMA = 'dbo' AND @table_name = t.TABLE_NAME
