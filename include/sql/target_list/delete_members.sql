/*
Purpose     Clear what an attempt that died has written down of a list.
Parameters  @as_of date; @label tinyint; @list_sha256 char(64).
*/
DELETE FROM dbo.target_list_members
WHERE
    as_of = @as_of
    AND label = @label
    AND list_sha256 = CAST(@list_sha256 AS char(64))
