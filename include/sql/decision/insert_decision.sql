/*
Purpose     Put a decision on record, once: an attempt that is made again writes nothing.
Parameters  One per column of dbo.clustering_decisions.
*/
INSERT INTO dbo.clustering_decisions (
    as_of, run_id, subject, label, sha256, verdict, how, decided_by, decided_at, guards
)
SELECT
    @as_of AS as_of,
    @run_id AS run_id,
    @subject AS subject,
    @label AS label,
    @sha256 AS sha256,
    @verdict AS verdict,
    @how AS how,
    @decided_by AS decided_by,
    @decided_at AS decided_at,
    @guards AS guards
WHERE NOT EXISTS (
    SELECT 1
    FROM dbo.clustering_decisions AS cd
    WHERE
        cd.as_of = @as_of
        AND cd.run_id = @run_id
        AND cd.subject = @subject
        AND cd.decided_at = @decided_at
)
