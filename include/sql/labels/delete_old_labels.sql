/*
Purpose     Forget labels that are older than the label history is kept. The newest published set
            stays whatever its age, and dbo.clustering_runs stays whole.
Parameters  @before date: labels of earlier days are deleted.
*/
DELETE FROM dbo.customer_clusters
WHERE
    as_of < @before
    AND as_of < (SELECT MAX(cr.as_of) FROM dbo.clustering_runs AS cr)
