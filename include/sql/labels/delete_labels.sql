/*
Purpose     First half of replacing the labels of an as_of; always in a transaction with
            insert_labels.sql.
Parameters  @as_of date.
Notes       TABLOCKX: as many row locks as this needs would become a table lock anyway, at an unlucky
            moment. Taken at once, it also waits for the statements that are reading, so that a
            reader without row versions sees the old set or the new one and never some of each.
*/
DELETE FROM dbo.customer_clusters WITH (TABLOCKX)
WHERE as_of = @as_of
