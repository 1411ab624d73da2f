/*
Purpose     Bring a dbo.target_list_deliveries that is older than this column up to date.
*/
ALTER TABLE dbo.target_list_deliveries ADD taken_back_at datetime2(0) NULL
