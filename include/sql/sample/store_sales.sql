/*
Purpose     The sample store's sales, with the columns of TPCx-BB.
Grain       One row per ticket and item sold.
*/
CREATE TABLE dbo.store_sales (
    ss_sold_date_sk bigint NULL,
    ss_sold_time_sk bigint NULL,
    ss_item_sk bigint NOT NULL,
    ss_customer_sk bigint NULL,
    ss_cdemo_sk bigint NULL,
    ss_hdemo_sk bigint NULL,
    ss_addr_sk bigint NULL,
    ss_store_sk bigint NULL,
    ss_promo_sk bigint NULL,
    ss_ticket_number bigint NOT NULL,
    ss_quantity int NULL,
    ss_wholesale_cost decimal(7, 2) NULL,
    ss_list_price decimal(7, 2) NULL,
    ss_sales_price decimal(7, 2) NULL,
    ss_ext_discount_amt decimal(7, 2) NULL,
    ss_ext_sales_price decimal(7, 2) NULL,
    ss_ext_wholesale_cost decimal(7, 2) NULL,
    ss_ext_list_price decimal(7, 2) NULL,
    ss_ext_tax decimal(7, 2) NULL,
    ss_coupon_amt decimal(7, 2) NULL,
    ss_net_paid decimal(7, 2) NULL,
    ss_net_paid_inc_tax decimal(7, 2) NULL,
    ss_net_profit decimal(7, 2) NULL
)
