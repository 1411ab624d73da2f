/*
Purpose     Take a pending mail, before the mail server is told anything about it.
Parameters  @as_of, @label, @list_sha256, @recipient: the key; @attempts int: how many tries there
            were; @run_id: who takes it; @now datetime2, UTC.
*/
UPDATE dbo.target_list_deliveries
SET
    state = 'sending',
    attempts = attempts + 1,
    run_id = @run_id,
    detail = '',
    changed_at = @now
WHERE
    as_of = @as_of
    AND label = @label
    AND list_sha256 = @list_sha256
    AND recipient = @recipient
    AND state = 'pending'
    AND attempts = @attempts
