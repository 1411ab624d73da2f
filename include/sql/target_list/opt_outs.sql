/*
Purpose     Who must not be written to. Addresses are read by the code, in addresses.py, for people write
            them in many ways, and upper and lower case mean the same whatever the collation.
Grain       One row per opt-out. row_number counts them as they are sorted here, so that one can be
            named without its address; known is NULL if the customer who is named by key is nobody in
            dbo.customer, and own_email is the address of that customer.
*/
SELECT
    es.customer,
    es.email,
    c.c_customer_sk AS known,
    c.c_email_address AS own_email,
    CAST(ROW_NUMBER() OVER (ORDER BY es.since, es.customer, es.email) AS bigint) AS row_number
FROM dbo.email_suppressions AS es
LEFT JOIN dbo.customer AS c ON es.customer = c.c_customer_sk
