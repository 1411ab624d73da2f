/*
Purpose     The labels of a published as_of, to see who changed cluster, and whose returns are gone.
Parameters  @as_of date: the run to compare with.
Grain       One row per customer; returned is 1 if they had returned anything.
*/
SELECT
    cc.customer,
    cc.cluster AS label,
    CAST(
        CASE
            WHEN cc.frequency > 0 OR cc.orderRatio > 0 OR cc.itemsRatio > 0 OR cc.monetaryRatio > 0 THEN 1
            ELSE 0
        END AS tinyint
    ) AS returned
FROM dbo.customer_clusters AS cc
WHERE cc.as_of = @as_of
