/*
Purpose     Restore the database of Microsoft's tutorial on a SQL Server on Linux. In master, by a
            login that may CREATE ANY DATABASE.
Parameters  @backup nvarchar(260): where the server finds tpcxbb_1gb.bak, which is at
            https://sqlchoice.blob.core.windows.net/sqlchoice/static/tpcxbb_1gb.bak
Notes       A database of this name is not replaced: the restore fails with error 3154.
*/
DECLARE @file nvarchar(260) = @backup;
RESTORE DATABASE tpcxbb_1gb
FROM DISK = @file
WITH
MOVE 'tpcxbb_1gb' TO '/var/opt/mssql/data/tpcxbb_1gb.mdf',
MOVE 'tpcxbb_1gb_log' TO '/var/opt/mssql/data/tpcxbb_1gb_log.ldf';
