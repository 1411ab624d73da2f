/*
Purpose     Let a login into this database, in one role. A user whom a restored backup brought along,
            without the login it had on its old server, is given the login here.
Parameters  @login, @role nvarchar(128): both exist.
*/
DECLARE @create_user nvarchar(MAX) = (
    SELECT
        CASE
            WHEN dp.name IS NULL THEN CONCAT(N'CREATE USER ', l.name, N' FOR LOGIN ', l.name, N'; ')
            WHEN dp.sid <> SUSER_SID(@login)
                THEN CONCAT(N'ALTER USER ', l.name, N' WITH LOGIN = ', l.name, N'; ')
            ELSE N''
        END + CONCAT(N'ALTER ROLE ', QUOTENAME(@role), N' ADD MEMBER ', l.name)
    FROM (SELECT QUOTENAME(@login) AS name) AS l
    LEFT JOIN sys.database_principals AS dp ON dp.name = @login
);
EXEC sp_executesql @create_user;
