/*
Purpose     What has happened to the lists of one as_of and label.
Parameters  @as_of date; @label tinyint.
Grain       One row per list and recipient.
*/
SELECT
    tld.list_sha256,
    tld.recipient,
    tld.state,
    tld.attempts,
    tld.message_id,
    tld.detail,
    tld.changed_at
FROM dbo.target_list_deliveries AS tld
WHERE tld.as_of = @as_of AND tld.label = @label
