/*
Purpose     Marketing's opt-outs, by address, by customer, or both. Marketing writes it; the pipeline
            only reads it.
Grain       One row per opt-out; at least one of email and customer is given.
*/
CREATE TABLE dbo.email_suppressions (
    email nvarchar(254) NULL,
    customer bigint NULL,
    reason nvarchar(200) NULL,
    since date NULL,
    CONSTRAINT ck_email_suppressions CHECK (email IS NOT NULL OR customer IS NOT NULL)
)
