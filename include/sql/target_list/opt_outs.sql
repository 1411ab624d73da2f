/*
Purpose     Who must not be written to. Addresses are compared by the code, in addresses.py, so that
            upper and lower case mean the same whatever the collation.
Grain       One row per opt-out; own_email is the address of a customer who is named by key.
*/
SELECT
    es.customer,
    es.email,
    c.c_email_address AS own_email
FROM dbo.email_suppressions AS es
LEFT JOIN dbo.customer AS c ON es.customer = c.c_customer_sk
