/*
Purpose     How much of a list is written down.
Parameters  @as_of date; @label tinyint; @list_sha256 char(64).
Grain       One row.
*/
SELECT COUNT_BIG(*) AS n
FROM dbo.target_list_members AS tlm
WHERE
    tlm.as_of = @as_of
    AND tlm.label = @label
    AND tlm.list_sha256 = CAST(@list_sha256 AS char(64))
