/*
Purpose     Erase one customer from who was on lists.
Parameters  @customer bigint.
*/
DELETE FROM dbo.target_list_members
WHERE customer = @customer
