/*
Purpose     Where an attempt bulk-loads its labels before they are verified and published. Bulk loads
            commit by themselves, so each attempt writes under a key of its own, and readers never
            look here. One permanent table: production then needs no right to create any.
Grain       One row per attempt and customer. staging_key starts with the UTC time of the attempt.
*/
CREATE TABLE dbo.customer_clusters_staging (
    staging_key char(32) NOT NULL,
    customer bigint NOT NULL,
    orderRatio float NOT NULL,
    itemsRatio float NOT NULL,
    monetaryRatio float NOT NULL,
    frequency int NOT NULL,
    cluster tinyint NOT NULL,
    CONSTRAINT pk_customer_clusters_staging PRIMARY KEY (staging_key, customer)
)
