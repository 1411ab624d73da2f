/*
Purpose     Erase one customer from the labels of a day.
Parameters  @as_of date; @customer bigint.
*/
DELETE FROM dbo.customer_clusters
WHERE as_of = @as_of AND customer = @customer
