/*
Purpose     The newest day before @as_of whose list may be in somebody's hands.
Parameters  @as_of date: the run at hand; @label tinyint.
Grain       One row; as_of is NULL when no list was mailed.
*/
SELECT MAX(tld.as_of) AS as_of
FROM dbo.target_list_deliveries AS tld
WHERE tld.as_of < @as_of AND tld.label = @label AND tld.state <> 'pending'
