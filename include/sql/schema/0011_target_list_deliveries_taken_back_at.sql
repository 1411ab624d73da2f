/*
Purpose     When the day of the list was taken back, UTC; NULL if it was not.
*/
ALTER TABLE dbo.target_list_deliveries ADD taken_back_at datetime2(0) NULL
