/*
Purpose     The published labels, with the features they were made from. History: one complete set
            per as_of.
Grain       One row per as_of and customer. cluster is the label: the published tables keep the name
            that the tutorial's users know, everything else says label.
*/
CREATE TABLE dbo.customer_clusters (
    as_of date NOT NULL,
    customer bigint NOT NULL,
    orderRatio float NOT NULL,
    itemsRatio float NOT NULL,
    monetaryRatio float NOT NULL,
    frequency int NOT NULL,
    cluster tinyint NOT NULL,
    CONSTRAINT pk_customer_clusters PRIMARY KEY (as_of, customer)
)
