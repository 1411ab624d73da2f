/*
Purpose     Erase one customer from what killed attempts have left.
Parameters  @customer bigint.
*/
DELETE FROM dbo.customer_clusters_staging
WHERE customer = @customer
