/*
Purpose     Which statements of this folder have been run here, so that each is run once, in their order.
Grain       One row per migration; version is the number that its name starts with; applied_at is UTC.
*/
CREATE TABLE dbo.reclustering_migrations (
    version int NOT NULL,
    name varchar(100) NOT NULL,
    applied_at datetime2(0) NOT NULL,
    CONSTRAINT pk_reclustering_migrations PRIMARY KEY (version)
)
