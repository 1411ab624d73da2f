/*
Purpose     Who was on a list that went out, and who was held out for comparison: for measuring what the
            mails bring about, and for those who were mailed to have a rest.
Grain       One row per list (as_of, label, list_sha256) and customer; listed is 1, or 0 if held out. It is
            written before the mail goes: whether that was sent says dbo.target_list_deliveries.
*/
CREATE TABLE dbo.target_list_members (
    as_of date NOT NULL,
    label tinyint NOT NULL,
    list_sha256 char(64) NOT NULL,
    customer bigint NOT NULL,
    listed tinyint NOT NULL,
    CONSTRAINT pk_target_list_members PRIMARY KEY (as_of, label, list_sha256, customer)
)
