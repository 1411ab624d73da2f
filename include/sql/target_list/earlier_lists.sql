/*
Purpose     Where to look for the list before this one: first what may be in somebody's hands, by the
            ledger, then what was published.
Parameters  @as_of date: the run at hand; @label tinyint.
Grain       One row per day, run and list, in the order in which they count. Of the run's own day, only
            what was mailed. mailed is 1 or 0; list_sha256 is NULL if it is 0.
*/
WITH mailed AS (
    SELECT
        tld.as_of,
        tld.run_id,
        tld.list_sha256,
        MAX(tld.changed_at) AS changed_at
    FROM dbo.target_list_deliveries AS tld
    WHERE
        tld.as_of <= @as_of
        AND tld.label = @label
        AND tld.state <> 'pending'
        AND tld.taken_back_at IS NULL
    GROUP BY tld.as_of, tld.run_id, tld.list_sha256
),

lists AS (
    SELECT
        m.as_of,
        m.run_id,
        m.list_sha256,
        m.changed_at,
        1 AS mailed
    FROM mailed AS m
    UNION ALL
    SELECT
        cr.as_of,
        cr.run_id,
        NULL AS list_sha256,
        cr.published_at AS changed_at,
        0 AS mailed
    FROM dbo.clustering_runs AS cr
    WHERE cr.as_of < @as_of
)

SELECT
    l.as_of,
    l.run_id,
    l.list_sha256,
    l.mailed
FROM lists AS l
ORDER BY l.mailed DESC, l.as_of DESC, l.changed_at DESC
