/*
Purpose     The send ledger: what was mailed to whom, so that no list is mailed twice. A row is
            pending before the first try and after a refusal, sending while a mail server is being
            talked to, and sent once it has accepted the mail. A row that stays sending is in doubt.
Grain       One row per list (as_of, label, list_sha256) and recipient. attempts counts the tries and
            tells one from another; customers is the length of the list; detail is the mail
            server's answer, or says why a mail is not sent; changed_at is UTC. A later migration adds
            taken_back_at.
*/
CREATE TABLE dbo.target_list_deliveries (
    as_of date NOT NULL,
    label tinyint NOT NULL,
    list_sha256 char(64) NOT NULL,
    recipient nvarchar(254) NOT NULL,
    state varchar(10) NOT NULL,
    attempts int NOT NULL,
    customers bigint NOT NULL,
    message_id varchar(400) NOT NULL,
    run_id nvarchar(250) NOT NULL,
    detail nvarchar(1000) NOT NULL,
    changed_at datetime2(0) NOT NULL,
    CONSTRAINT pk_target_list_deliveries PRIMARY KEY (as_of, label, list_sha256, recipient),
    CONSTRAINT ck_target_list_deliveries CHECK (state IN ('pending', 'sending', 'sent'))
)
