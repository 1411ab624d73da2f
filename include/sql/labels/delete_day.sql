/*
Purpose     Forget the labels of a day; dbo.clustering_runs keeps what the run was.
Parameters  @as_of date.
Notes       One day is one transaction: the log need hold no more than that, and who reads waits no longer.
*/
DELETE FROM dbo.customer_clusters
WHERE as_of = @as_of
