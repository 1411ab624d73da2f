/*
Purpose     What has been run here.
Grain       One row per migration.
*/
SELECT rm.version
FROM dbo.reclustering_migrations AS rm
