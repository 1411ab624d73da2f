/*
Purpose     Who has a list of a day, of those that are to have one.
Parameters  @as_of date.
Grain       One row per recipient; has_list is 1 or 0. What was taken back does not count.
*/
SELECT
    tld.recipient,
    MAX(CASE WHEN tld.state = 'sent' THEN 1 ELSE 0 END) AS has_list
FROM dbo.target_list_deliveries AS tld
WHERE tld.as_of = @as_of AND tld.taken_back_at IS NULL
GROUP BY tld.recipient
