/*
Purpose     What each recipient was sent last, to see whether there is anything new for them.
Parameters  @label tinyint.
Grain       One row per recipient. What was taken back, or is in doubt, is what they may have as well.
*/
SELECT
    l.recipient,
    l.as_of,
    l.list_sha256,
    l.state
FROM (
    SELECT
        tld.recipient,
        tld.as_of,
        tld.list_sha256,
        tld.state,
        ROW_NUMBER() OVER (
            PARTITION BY tld.recipient ORDER BY tld.changed_at DESC, tld.as_of DESC
        ) AS place
    FROM dbo.target_list_deliveries AS tld
    WHERE tld.label = @label AND tld.state <> 'pending'
) AS l
WHERE l.place = 1
