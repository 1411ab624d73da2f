/*
Purpose     Whose list of a day may be in somebody's hands: what a corrected list is compared with.
Parameters  @as_of date; @label tinyint.
Grain       One row per mail, the latest first; the run is the one that mailed it.
*/
SELECT
    tld.as_of,
    tld.run_id
FROM dbo.target_list_deliveries AS tld
WHERE tld.as_of = @as_of AND tld.label = @label AND tld.state <> 'pending'
ORDER BY tld.changed_at DESC
