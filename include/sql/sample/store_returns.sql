/*
Purpose     The sample store's returns, with the columns of TPCx-BB.
Grain       One row per ticket and item returned.
*/
CREATE TABLE dbo.store_returns (
    sr_returned_date_sk bigint NULL,
    sr_return_time_sk bigint NULL,
    sr_item_sk bigint NOT NULL,
    sr_customer_sk bigint NULL,
    sr_cdemo_sk bigint NULL,
    sr_hdemo_sk bigint NULL,
    sr_addr_sk bigint NULL,
    sr_store_sk bigint NULL,
    sr_reason_sk bigint NULL,
    sr_ticket_number bigint NOT NULL,
    sr_return_quantity int NULL,
    sr_return_amt decimal(7, 2) NULL,
    sr_return_tax decimal(7, 2) NULL,
    sr_return_amt_inc_tax decimal(7, 2) NULL,
    sr_fee decimal(7, 2) NULL,
    sr_return_ship_cost decimal(7, 2) NULL,
    sr_refunded_cash decimal(7, 2) NULL,
    sr_reversed_charge decimal(7, 2) NULL,
    sr_store_credit decimal(7, 2) NULL,
    sr_net_loss decimal(7, 2) NULL
)
