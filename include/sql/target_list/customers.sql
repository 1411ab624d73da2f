/*
Purpose     What marketing needs to write to a customer.
Grain       One row per customer, sorted by customer. Who is in the cluster, and who of them is excluded,
            is decided in plugins/reclustering/target_list, by this run's files.
*/
SELECT
    CAST(c.c_customer_sk AS bigint) AS customer,
    c.c_email_address AS email,
    c.c_salutation AS salutation,
    c.c_first_name AS first_name,
    c.c_last_name AS last_name
FROM dbo.customer AS c
ORDER BY c.c_customer_sk
