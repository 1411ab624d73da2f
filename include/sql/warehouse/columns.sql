/*
Purpose     The columns of dbo that this login can see, to say by name what is missing.
Grain       One row per column.
*/
SELECT
    c.TABLE_NAME AS table_name,
    c.COLUMN_NAME AS column_name
FROM INFORMATION_SCHEMA.COLUMNS AS c
WHERE c.TABLE_SCHEMA = 'dbo'
