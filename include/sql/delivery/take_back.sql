/*
Purpose     Note that a day was taken back: no later list is compared with what was mailed of it. What
            was sent stays on record.
Parameters  @as_of date; @now datetime2, UTC.
*/
UPDATE dbo.target_list_deliveries
SET taken_back_at = @now
WHERE as_of = @as_of AND taken_back_at IS NULL
