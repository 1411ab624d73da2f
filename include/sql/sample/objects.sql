/*
Purpose     The tables and views of dbo that this login can see, to see what an empty database lacks.
Grain       One row per table or view; table_type is BASE TABLE or VIEW.
*/
SELECT
    t.TABLE_NAME AS table_name,
    t.TABLE_TYPE AS table_type
FROM INFORMATION_SCHEMA.TABLES AS t
WHERE t.TABLE_SCHEMA = 'dbo'
