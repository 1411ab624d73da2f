/*
Purpose     Whether a database is there, and can be used. Run in master.
Parameters  @database nvarchar(128).
Grain       One row, or none when there is no such database; state_desc is ONLINE for one that can be
            used, RESTORING for one whose restore has not ended.
*/
SELECT d.state_desc
FROM sys.databases AS d
WHERE d.name = @database
