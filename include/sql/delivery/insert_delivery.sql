/*
Purpose     Enter a mail that is to be sent.
Parameters  One per column of dbo.target_list_deliveries that is not fixed here.
*/
INSERT INTO dbo.target_list_deliveries (
    as_of, label, list_sha256, recipient, state, attempts, customers, message_id, run_id, detail,
    changed_at
)
VALUES (
    @as_of, @label, @list_sha256, @recipient, 'pending', 0, @customers, @message_id, @run_id, '', @now
)
