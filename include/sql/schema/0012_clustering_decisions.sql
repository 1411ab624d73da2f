/*
Purpose     Who let pass, or stopped, what guards had spoken against, and who released a list that was held.
Grain       One row per decision. subject is fit (what is published) or list (what is mailed); label and
            sha256 say which exactly. how is answer, no_answer (nobody gave one in time), accept_change or
            release; decided_by is the name in Airflow, empty if there was nobody; decided_at is UTC; guards
            are their names. Rows are never changed.
*/
CREATE TABLE dbo.clustering_decisions (
    as_of date NOT NULL,
    run_id nvarchar(250) NOT NULL,
    subject varchar(10) NOT NULL,
    label tinyint NOT NULL,
    sha256 char(64) NOT NULL,
    verdict varchar(10) NOT NULL,
    how varchar(20) NOT NULL,
    decided_by nvarchar(250) NOT NULL,
    decided_at datetime2(0) NOT NULL,
    guards nvarchar(250) NOT NULL,
    CONSTRAINT pk_clustering_decisions PRIMARY KEY (as_of, run_id, subject, decided_at),
    CONSTRAINT ck_clustering_decisions CHECK (
        subject IN ('fit', 'list') AND verdict IN ('approved', 'rejected')
    )
)
