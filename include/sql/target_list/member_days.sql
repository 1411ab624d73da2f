/*
Purpose     The days of old lists whose customers are written down.
Parameters  @before date: the first day that is not old.
Grain       One row per day, oldest first.
*/
SELECT DISTINCT tlm.as_of
FROM dbo.target_list_members AS tlm
WHERE tlm.as_of < @before
ORDER BY tlm.as_of ASC
