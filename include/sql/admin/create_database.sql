/*
Purpose     Create an empty database for the store. In master, by a login that may CREATE ANY
            DATABASE.
Parameters  @database nvarchar(128).
*/
DECLARE @create_database nvarchar(MAX) = CONCAT(N'CREATE DATABASE ', QUOTENAME(@database));
EXEC sp_executesql @create_database;
