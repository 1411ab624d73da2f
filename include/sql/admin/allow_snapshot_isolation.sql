/*
Purpose     Let the pipeline read one consistent state of the store without blocking who writes to it.
            In the store's database, by a login that may ALTER it; works while others use it, and
            comes into effect when the transactions that are open now have ended.
Notes       Changed rows keep their earlier versions in tempdb for as long as somebody may read them:
            14 bytes a row, and the versions themselves.
*/
ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON
