/*
Purpose     Forget who was on the lists of a day; dbo.target_list_deliveries keeps that they went out.
Parameters  @as_of date.
*/
DELETE FROM dbo.target_list_members
WHERE as_of = @as_of
