/*
Purpose     What the login may not do, of what include/sql/admin/create_role.sql grants and this task would
            not notice by itself. A right on each column is as good as one on the table.
Grain       One row per missing right; missing names it, such as INSERT on dbo.customer_clusters.
*/
SELECT r.right_name + ' on dbo.' + r.table_name + COALESCE('.' + r.column_name, '') AS missing
FROM (
    VALUES
    ('SELECT', 'email_suppressions', NULL),
    ('SELECT', 'py_customer_clusters', NULL),
    ('SELECT', 'reclustering_migrations', NULL),
    ('SELECT', 'customer_clusters', NULL),
    ('INSERT', 'customer_clusters', NULL),
    ('DELETE', 'customer_clusters', NULL),
    ('SELECT', 'customer_clusters_staging', NULL),
    ('INSERT', 'customer_clusters_staging', NULL),
    ('DELETE', 'customer_clusters_staging', NULL),
    ('SELECT', 'clustering_runs', NULL),
    ('INSERT', 'clustering_runs', NULL),
    ('DELETE', 'clustering_runs', NULL),
    ('SELECT', 'target_list_deliveries', NULL),
    ('INSERT', 'target_list_deliveries', NULL),
    ('UPDATE', 'target_list_deliveries', NULL),
    ('SELECT', 'target_list_members', NULL),
    ('INSERT', 'target_list_members', NULL),
    ('DELETE', 'target_list_members', NULL),
    ('SELECT', 'clustering_decisions', NULL),
    ('INSERT', 'clustering_decisions', NULL),
    ('SELECT', 'customer', 'c_customer_sk'),
    ('SELECT', 'customer', 'c_salutation'),
    ('SELECT', 'customer', 'c_first_name'),
    ('SELECT', 'customer', 'c_last_name'),
    ('SELECT', 'customer', 'c_email_address')
) AS r(right_name, table_name, column_name)
WHERE COALESCE(
    HAS_PERMS_BY_NAME(
        'dbo.' + r.table_name, 'OBJECT', r.right_name, r.column_name,
        CASE WHEN r.column_name IS NOT NULL THEN 'COLUMN' END
    ),
    0
) = 0
