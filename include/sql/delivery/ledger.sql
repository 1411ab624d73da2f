/*
Purpose     The ledger for people: what was sent, and what is in doubt.
Grain       One row per list and recipient, newest first.
*/
SELECT
    tld.as_of,
    tld.label,
    tld.recipient,
    tld.state,
    tld.customers,
    tld.attempts,
    tld.changed_at,
    tld.list_sha256,
    tld.message_id,
    tld.run_id,
    tld.detail
FROM dbo.target_list_deliveries AS tld
ORDER BY tld.as_of DESC, tld.label ASC, tld.changed_at DESC, tld.list_sha256 ASC, tld.recipient ASC
