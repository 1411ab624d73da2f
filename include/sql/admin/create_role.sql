/*
Purpose     The role of the pipeline's login, with exactly the rights that it uses. In the store's
            database, by its owner, once the tables of include/sql/schema are there (python -m
            reclustering migrate). May be run again.
Notes       There is no right to create anything: whoever runs this creates the tables. Without
            SELECT on the view and the migrations, the login could not tell that they are there. To take the
            lock of an as_of (sp_getapplock), membership in public is enough.
*/
IF DATABASE_PRINCIPAL_ID('customer_reclustering') IS NULL
    CREATE ROLE customer_reclustering;

GRANT SELECT ON dbo.store_sales TO customer_reclustering;
GRANT SELECT ON dbo.store_returns TO customer_reclustering;
GRANT SELECT ON dbo.customer TO customer_reclustering;
GRANT SELECT ON dbo.date_dim TO customer_reclustering;
GRANT SELECT ON dbo.email_suppressions TO customer_reclustering;
GRANT SELECT ON dbo.py_customer_clusters TO customer_reclustering;
GRANT SELECT ON dbo.reclustering_migrations TO customer_reclustering;
GRANT SELECT, INSERT, DELETE ON dbo.customer_clusters TO customer_reclustering;
GRANT SELECT, INSERT, DELETE ON dbo.customer_clusters_staging TO customer_reclustering;
GRANT SELECT, INSERT, DELETE ON dbo.clustering_runs TO customer_reclustering;
GRANT SELECT, INSERT, UPDATE ON dbo.target_list_deliveries TO customer_reclustering;
GRANT SELECT, INSERT, DELETE ON dbo.target_list_members TO customer_reclustering;
GRANT SELECT, INSERT ON dbo.clustering_decisions TO customer_reclustering;
