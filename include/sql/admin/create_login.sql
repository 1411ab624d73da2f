/*
Purpose     Give somebody a login with a password; who has one gets the new password. In any database
            of the server, by a login that may ALTER ANY LOGIN; on Azure SQL Database in master alone.
Parameters  @login nvarchar(128); @password nvarchar(128).
Notes       Neither a name nor a password can be a parameter of CREATE LOGIN, so both are quoted.
*/
DECLARE @create_login nvarchar(MAX) = CONCAT(
    CASE WHEN SUSER_ID(@login) IS NULL THEN N'CREATE' ELSE N'ALTER' END,
    N' LOGIN ', QUOTENAME(@login),
    N' WITH PASSWORD = N', QUOTENAME(@password, '''')
);
EXEC sp_executesql @create_login;
