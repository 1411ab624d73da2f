/*
Purpose     Write down how a try ended: sent, or pending again after a refusal.
Parameters  @as_of, @label, @list_sha256, @recipient: the key; @attempts int: the number of the try,
            so that one given up for dead cannot speak for a later one; @state varchar(10);
            @detail nvarchar(1000): why it is not sent; @now datetime2, UTC.
*/
UPDATE dbo.target_list_deliveries
SET
    state = @state,
    detail = @detail,
    changed_at = @now
WHERE
    as_of = @as_of
    AND label = @label
    AND list_sha256 = @list_sha256
    AND recipient = @recipient
    AND state = 'sending'
    AND attempts = @attempts
