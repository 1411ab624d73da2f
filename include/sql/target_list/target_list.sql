/*
Purpose     The customers of one cluster, with what marketing needs to write to them.
Parameters  @as_of date: the published labels to read. @label tinyint: the cluster.
Grain       One row per customer of the cluster, sorted by customer; a customer that dbo.customer
            does not know has no address. Who is excluded, and why, is decided in
            plugins/reclustering/target_list, where their orders come from purchases.parquet.
*/
SELECT
    cc.customer,
    c.c_email_address AS email,
    c.c_salutation AS salutation,
    c.c_first_name AS first_name,
    c.c_last_name AS last_name,
    cc.frequency
FROM dbo.customer_clusters AS cc
LEFT JOIN dbo.customer AS c ON cc.customer = c.c_customer_sk
WHERE cc.as_of = @as_of AND cc.cluster = @label
ORDER BY cc.customer
