/*
Purpose     The labels of a published as_of, to see who changed cluster.
Parameters  @as_of date: the run to compare with.
Grain       One row per customer.
*/
SELECT
    cc.customer,
    cc.cluster AS label
FROM dbo.customer_clusters AS cc
WHERE cc.as_of = @as_of
