/*
Purpose     The newest published labels under the names of Microsoft's tutorial, for what people built
            on its table.
Grain       One row per customer of the newest as_of.
*/
CREATE VIEW dbo.py_customer_clusters AS
SELECT
    cc.customer AS Customer,
    cc.orderRatio AS OrderRatio,
    cc.itemsRatio,
    cc.monetaryRatio,
    cc.frequency,
    cc.cluster
FROM dbo.customer_clusters AS cc
WHERE cc.as_of = (SELECT MAX(cr.as_of) FROM dbo.clustering_runs AS cr)
