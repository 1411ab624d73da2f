/*
Purpose     Who must have a rest: who was on a list that went out lately, or was kept off it for comparison.
Parameters  @as_of date: the day of the new list; @after date: what is of this day, and was mailed on it,
            or before, does not count.
Grain       One row per customer. A mail in doubt counts as one that went out; another list of the same day
            does not, for this one would correct it.
*/
SELECT DISTINCT tlm.customer
FROM dbo.target_list_members AS tlm
WHERE
    tlm.as_of <> @as_of
    AND EXISTS (
        SELECT 1 FROM dbo.target_list_deliveries AS tld
        WHERE
            tld.as_of = tlm.as_of
            AND tld.label = tlm.label
            AND tld.list_sha256 = tlm.list_sha256
            AND tld.state <> 'pending'
            AND tld.attempts > 0
            AND (tld.as_of > @after OR CAST(tld.changed_at AS date) > @after)
    )
