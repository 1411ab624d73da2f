"""The sample store: TPCx-BB tables whose clusters are those that Microsoft's tutorial published.

Made up from a seed, so it is the same everywhere. At an as_of after its last sale, k-means with
k = 4 finds the tutorial's four clusters, sizes and means; see `TUTORIAL`. Sales spread over three
years, so an earlier as_of gives other clusters. Some rows are dirty, as a real store's are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import reduce

import numpy as np
import pandas as pd
import pyarrow as pa

SEED = 111
FIRST_SALE, LAST_SALE = date(2023, 1, 2), date(2025, 11, 29)
LAST_RETURN = date(2025, 12, 31)
CALENDAR_START, CALENDAR_END = date(1900, 1, 1), date(2199, 12, 31)
CUSTOMERS = 40_000
"""Rows of `customer`; 37,336 of them have bought something."""

FIRST_NAMES = ["Ada", "Amir", "Carla", "Chen", "Elif", "Fatou", "Ines", "Jonas", "Noah", "Olga"]
LAST_NAMES = ["Abel", "Costa", "Gupta", "Ito", "Mensah", "O'Neil", "Park", "Smith-Jones", "Xu"]


@dataclass(frozen=True)
class TutorialCluster:
    """A row of the table that the tutorial publishes: size and mean features."""

    size: int
    orderRatio: float  # noqa: N815
    itemsRatio: float  # noqa: N815
    monetaryRatio: float  # noqa: N815
    frequency: float

    def total(self, feature: str) -> float:
        """Give the sum of a feature over the cluster's customers."""
        return self.size * float(getattr(self, feature))


TUTORIAL = (
    TutorialCluster(31_675, 0.0, 0.0, 0.0, 0.0),
    TutorialCluster(4_989, 0.721604, 0.453365, 0.307721, 1.097815),
    TutorialCluster(671, 0.136277, 0.078346, 0.044497, 4.271237),
    TutorialCluster(1, 1.0, 2.0, 108.719154, 1.0),
)
"""The tutorial's clusters 0, 1, 3 and 2, in the order of our labels."""

_Integers = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass
class _Counts:
    """What each customer bought and returned; arrays of shape (customers,)."""

    orders: _Integers
    returned_orders: _Integers
    items: _Integers
    returned_items: _Integers

    def __add__(self, other: _Counts) -> _Counts:
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return _Counts(*(np.concatenate(pair) for pair in pairs))


def tables() -> dict[str, pa.Table]:
    """Make the sample store.

    Returns
    -------
    dict of str to Table
        `date_dim`, `customer`, `store_sales`, `store_returns` and `email_suppressions`, with the
        columns of `include/sql/sample` and `include/sql/schema`, in the tables' order.
    """
    rng = np.random.default_rng(SEED)
    groups = [
        _never_returned(rng, TUTORIAL[0]),
        _returned_once(rng, TUTORIAL[1]),
        _returned_often(rng, TUTORIAL[2]),
        # One order of one item, for which two items were returned.
        _Counts(*(np.array([n]) for n in (1, 1, 1, 2))),
    ]
    counts = reduce(_Counts.__add__, groups)
    buyers = rng.permutation(np.arange(1, CUSTOMERS + 1))[: len(counts.orders)]
    sales = _sales(rng, counts)
    returns = _returns(rng, counts, sales)
    customers = _customers(rng)
    return {
        "date_dim": _date_dim(),
        "customer": customers,
        "store_sales": sales_table(rng, _with_strangers(rng, sales, buyers)),
        "store_returns": returns_table(rng, _with_strangers(rng, returns, buyers)),
        "email_suppressions": _suppressions(rng, customers),
    }


def statement(table: str) -> str:
    """Give the statement that creates a table of the sample store; opt-outs are the pipeline's own."""
    own = table == "email_suppressions"
    return "schema/0004_email_suppressions" if own else f"sample/{table}"


def _never_returned(rng: np.random.Generator, cluster: TutorialCluster) -> _Counts:
    none = np.zeros(cluster.size, dtype=np.int64)
    orders = 1 + rng.poisson(0.9, cluster.size)
    return _Counts(orders, none, orders + rng.poisson(1.2 * orders), none)


def _returned_once(rng: np.random.Generator, cluster: TutorialCluster) -> _Counts:
    returned_orders = np.ones(cluster.size, dtype=np.int64)
    returned_orders[: round(cluster.total("frequency")) - cluster.size] = 2
    orders = returned_orders + rng.geometric(0.54, cluster.size) - 1
    returned_items = returned_orders + rng.poisson(0.8, cluster.size)
    return _tuned(rng, cluster, orders, returned_orders, returned_items)


def _returned_often(rng: np.random.Generator, cluster: TutorialCluster) -> _Counts:
    returned_orders = 3 + rng.poisson(1.27, cluster.size)
    surplus = returned_orders.sum() - round(cluster.total("frequency"))
    movable = np.flatnonzero(returned_orders > 3)[: abs(surplus)]
    returned_orders[movable] -= np.sign(surplus)
    orders = np.round(returned_orders / rng.uniform(0.09, 0.22, cluster.size)).astype(np.int64)
    returned_items = returned_orders + rng.poisson(0.5, cluster.size)
    return _tuned(rng, cluster, orders, returned_orders, returned_items)


def _tuned(
    rng: np.random.Generator,
    cluster: TutorialCluster,
    orders: _Integers,
    returned_orders: _Integers,
    returned_items: _Integers,
) -> _Counts:
    """Choose orders and items so that the cluster's mean ratios are the tutorial's."""
    orders = _tune(rng, returned_orders, orders, returned_orders, cluster.total("orderRatio"))
    fewest = returned_items + orders - returned_orders
    guess = np.round(returned_items / (cluster.itemsRatio * rng.uniform(0.5, 1.6, cluster.size)))
    items = np.maximum(guess.astype(np.int64), fewest)
    items = _tune(rng, returned_items, items, fewest, cluster.total("itemsRatio"))
    return _Counts(orders, returned_orders, items, returned_items)


def _tune(
    rng: np.random.Generator,
    numerator: _Integers,
    denominator: _Integers,
    fewest: _Integers,
    total: float,
) -> _Integers:
    """Change denominators, none below `fewest`, until the ratios add up to `total`.

    To six decimals of the mean: first many random steps of one, then three chosen ones at a time.
    """
    denominator = denominator.copy()
    for _ in range(1000):
        ratios = np.round(numerator / denominator, 7)
        missing = total - ratios.sum()
        if abs(missing) < 1e-7 * len(ratios):
            return denominator
        some = rng.permutation(len(ratios))[: len(ratios) if abs(missing) > 1 else 120]
        step = -np.sign(missing) if abs(missing) > 1 else rng.choice([-1, 1], len(some))
        changed = np.maximum(denominator[some] + step, fewest[some]).astype(np.int64)
        gains = np.round(numerator[some] / changed, 7) - ratios[some]
        if abs(missing) > 1:
            chosen = np.arange(np.searchsorted(np.abs(gains).cumsum(), abs(missing)))
        else:
            chosen = _best_three(gains, missing)
        if abs(missing - gains[chosen].sum()) < abs(missing):
            denominator[some[chosen]] = changed[chosen]
    raise RuntimeError(f"The ratios add up to {ratios.sum()}; expected {total}. Try another seed.")


def _best_three(gains: np.ndarray, missing: float) -> np.ndarray:
    first, second, third = np.ix_(*(np.arange(len(gains)),) * 3)
    error = np.abs(gains[first] + gains[second] + gains[third] - missing)
    error[(first >= second) | (second >= third)] = np.inf
    return np.array(np.unravel_index(error.argmin(), error.shape))


def _sales(rng: np.random.Generator, counts: _Counts) -> pd.DataFrame:
    """One row per item sold: customer (a position in `counts`), ticket, day, item, quantity, cents."""
    customer = np.repeat(np.arange(len(counts.items)), counts.items)
    start = np.cumsum(counts.items) - counts.items
    position = np.arange(len(customer)) - start[customer]
    orders, returned_orders = counts.orders[customer], counts.returned_orders[customer]
    returned_items = np.minimum(counts.returned_items, counts.items)[customer]
    # A customer's first rows are returned ones, spread over the returned orders; then comes one
    # row for each other order; what is left goes anywhere.
    order = np.select(
        [position < returned_items, position < returned_items + orders - returned_orders],
        [position % np.maximum(returned_orders, 1), returned_orders + position - returned_items],
        rng.integers(0, orders),
    )
    ticket = (np.cumsum(counts.orders) - counts.orders)[customer] + order
    days = np.sort(rng.integers(0, (LAST_SALE - FIRST_SALE).days + 1, counts.orders.sum()))
    numbers = rng.permutation(len(days))
    quantity = rng.integers(1, 11, len(customer))
    unit_price = unit_prices(rng, len(customer))
    sales = pd.DataFrame(
        {
            "customer": customer,
            "ticket": numbers[ticket] + 1,
            "day": day_key(FIRST_SALE) + days[numbers[ticket]],
            "item": rng.integers(1, 17_820, len(customer)),
            "quantity": quantity,
            "cents": quantity * unit_price,
            "returned": position < returned_items,
        }
    )
    # The outlier, last of all, paid little for what brought a large refund.
    sales.loc[sales.index[-1], ["quantity", "cents"]] = 1, _outlier_cents()[0]
    return sales


def _outlier_cents() -> tuple[int, int]:
    """Give amounts paid and returned whose ratio is the outlier's to seven decimals."""
    ratio = TUTORIAL[3].monetaryRatio
    return next(
        (paid, round(paid * ratio))
        for paid in range(100, 100_000)
        if round(round(paid * ratio) / paid, 7) == ratio
    )


def _returns(rng: np.random.Generator, counts: _Counts, sales: pd.DataFrame) -> pd.DataFrame:
    """One row per item returned, for the sales marked as returned."""
    times = np.ones(int(sales["returned"].sum()), dtype=np.int64)
    times[-1] = 2
    returns = sales[sales["returned"]].loc[lambda rows: rows.index.repeat(times)]
    latest = day_key(LAST_RETURN)
    back = rng.integers(1, 31, sales["ticket"].max() + 1)[returns["ticket"]]
    refunds = _refunds(rng, counts, sales)
    share = returns.groupby("customer").cumcount().to_numpy()
    items = counts.returned_items[returns["customer"]]
    total = refunds[returns["customer"]]
    return returns.assign(
        day=np.minimum(returns["day"] + back, latest),
        cents=total // items + (share < total % items),
    ).drop(columns="returned")


def _refunds(rng: np.random.Generator, counts: _Counts, sales: pd.DataFrame) -> _Integers:
    """Give each customer's refund in cents, so that the mean ratios are the tutorial's."""
    paid = sales.groupby("customer")["cents"].sum().to_numpy()
    refunds = np.zeros(len(paid), dtype=np.int64)
    start = 0
    for cluster in TUTORIAL:
        members = slice(start, start + cluster.size)
        start += cluster.size
        ratio = counts.returned_items[members] / counts.items[members]
        ratio = ratio * rng.uniform(0.4, 1.0, cluster.size)
        if not ratio.any():
            continue
        total = cluster.total("monetaryRatio")
        refund = np.round(ratio * total / ratio.sum() * paid[members]).astype(np.int64)
        # Whole cents leave the mean a little off; the customer who paid most makes up for it.
        most = paid[members].argmax()
        missing = total - np.round(refund / paid[members], 7).sum()
        refund[most] += round(missing * paid[members][most])
        refunds[members] = refund
    refunds[-1] = _outlier_cents()[1]
    return refunds


def _with_strangers(
    rng: np.random.Generator, rows: pd.DataFrame, buyers: _Integers
) -> pd.DataFrame:
    """Give the real customer keys, and the dirt: rows without a customer, tickets without a day."""
    keyed = rows.assign(customer=buyers[rows["customer"]])
    strangers = keyed.sample(frac=0.01, random_state=rng).assign(
        customer=None, ticket=lambda some: some["ticket"] + keyed["ticket"].max()
    )
    everyone = pd.concat([keyed.astype({"customer": object}), strangers], ignore_index=True)
    tickets = everyone["ticket"].unique()
    undated = rng.choice(tickets, len(tickets) // 200, replace=False)
    everyone["day"] = everyone["day"].astype("Int64").mask(everyone["ticket"].isin(undated))
    return everyone.sort_values(["ticket", "item"], ignore_index=True)


def unit_prices(rng: np.random.Generator, items: int) -> _Integers:
    """Draw what one piece of each item costs, in cents."""
    return np.clip(rng.lognormal(7.0, 0.8, items).astype(np.int64), 50, 90_000)


def sales_table(rng: np.random.Generator, sales: pd.DataFrame) -> pa.Table:
    """Give rows of `store_sales` from customer, ticket, day (a key), item, quantity and cents."""
    n = len(sales)
    paid, quantity = sales["cents"].to_numpy(), sales["quantity"].to_numpy()
    unit = paid // quantity
    wholesale = (unit * rng.uniform(0.5, 0.9, n)).astype(np.int64)
    list_price = (unit * rng.uniform(1.0, 1.3, n)).astype(np.int64)
    nothing = np.zeros(n, dtype=np.int64)
    tax = paid * 7 // 100
    return pa.table(
        {
            "ss_sold_date_sk": _keys(sales["day"]),
            "ss_sold_time_sk": _keys(rng.integers(28_800, 75_600, n)),
            "ss_item_sk": _keys(sales["item"]),
            "ss_customer_sk": _keys(sales["customer"]),
            "ss_cdemo_sk": _keys(rng.integers(1, 1_920_800, n)),
            "ss_hdemo_sk": _keys(rng.integers(1, 7_200, n)),
            "ss_addr_sk": _keys(rng.integers(1, 50_000, n)),
            "ss_store_sk": _keys(rng.integers(1, 12, n)),
            "ss_promo_sk": _keys(rng.integers(1, 300, n)),
            "ss_ticket_number": _keys(sales["ticket"]),
            "ss_quantity": pa.array(quantity, pa.int32()),
            "ss_wholesale_cost": _money(wholesale),
            "ss_list_price": _money(list_price),
            "ss_sales_price": _money(unit),
            "ss_ext_discount_amt": _money(nothing),
            "ss_ext_sales_price": _money(paid),
            "ss_ext_wholesale_cost": _money(wholesale * quantity),
            "ss_ext_list_price": _money(list_price * quantity),
            "ss_ext_tax": _money(tax),
            "ss_coupon_amt": _money(nothing),
            "ss_net_paid": _money(paid),
            "ss_net_paid_inc_tax": _money(paid + tax),
            "ss_net_profit": _money(paid - wholesale * quantity),
        }
    )


def returns_table(rng: np.random.Generator, returns: pd.DataFrame) -> pa.Table:
    """Give rows of `store_returns` from customer, ticket, day (a key), item, quantity and cents."""
    n = len(returns)
    amount = returns["cents"].to_numpy()
    tax, fee, shipping = amount * 7 // 100, rng.integers(50, 10_000, n), rng.integers(0, 5_000, n)
    cash, credit = amount // 2, amount // 4
    return pa.table(
        {
            "sr_returned_date_sk": _keys(returns["day"]),
            "sr_return_time_sk": _keys(rng.integers(28_800, 61_200, n)),
            "sr_item_sk": _keys(returns["item"]),
            "sr_customer_sk": _keys(returns["customer"]),
            "sr_cdemo_sk": _keys(rng.integers(1, 1_920_800, n)),
            "sr_hdemo_sk": _keys(rng.integers(1, 7_200, n)),
            "sr_addr_sk": _keys(rng.integers(1, 50_000, n)),
            "sr_store_sk": _keys(rng.integers(1, 12, n)),
            "sr_reason_sk": _keys(rng.integers(1, 35, n)),
            "sr_ticket_number": _keys(returns["ticket"]),
            "sr_return_quantity": pa.array(returns["quantity"], pa.int32()),
            "sr_return_amt": _money(amount),
            "sr_return_tax": _money(tax),
            "sr_return_amt_inc_tax": _money(amount + tax),
            "sr_fee": _money(fee),
            "sr_return_ship_cost": _money(shipping),
            "sr_refunded_cash": _money(cash),
            "sr_reversed_charge": _money(amount - cash - credit),
            "sr_store_credit": _money(credit),
            "sr_net_loss": _money(tax + fee + shipping),
        }
    )


def _customers(rng: np.random.Generator) -> pa.Table:
    n = CUSTOMERS
    sk = np.arange(1, n + 1)
    first, last = rng.choice(FIRST_NAMES, n), rng.choice(LAST_NAMES, n)
    first_sale = day_key(FIRST_SALE) + rng.integers(0, 1000, n)
    return pa.table(
        {
            "c_customer_sk": _keys(sk),
            "c_customer_id": pa.array([customer_id(key) for key in range(1, n + 1)]),
            "c_current_cdemo_sk": _keys(rng.integers(1, 1_920_800, n)),
            "c_current_hdemo_sk": _keys(rng.integers(1, 7_200, n)),
            "c_current_addr_sk": _keys(rng.integers(1, 50_000, n)),
            "c_first_shipto_date_sk": _keys(first_sale + 30),
            "c_first_sales_date_sk": _keys(first_sale),
            "c_salutation": pa.array(rng.choice(["Mr.", "Ms.", "Mrs.", "Dr."], n)),
            "c_first_name": pa.array(first),
            "c_last_name": pa.array(last),
            "c_preferred_cust_flag": pa.array(rng.choice(["Y", "N"], n)),
            "c_birth_day": pa.array(rng.integers(1, 29, n), pa.int32()),
            "c_birth_month": pa.array(rng.integers(1, 13, n), pa.int32()),
            "c_birth_year": pa.array(rng.integers(1930, 2006, n), pa.int32()),
            "c_birth_country": pa.array(rng.choice(["DENMARK", "INDIA", "PERU", "KENYA"], n)),
            "c_login": pa.nulls(n, pa.string()),
            "c_email_address": _addresses(rng, first, last),
            "c_last_review_date": pa.nulls(n, pa.string()),
        }
    )


def _addresses(rng: np.random.Generator, first: np.ndarray, last: np.ndarray) -> pa.Array:
    """Give e-mail addresses, some missing, malformed, or shared within a household."""
    names = pd.Series(first) + "." + pd.Series(last)
    number = pd.Series(np.arange(1, len(names) + 1)).astype(str)
    domain = pd.Series(rng.choice(["example.com", "example.org", "example.net"], len(names)))
    address = names + number + "@" + domain
    draw = rng.random(len(names))
    household = address.shift(1).fillna(address)
    address = address.mask(draw < 0.060, household).mask(draw < 0.050, household.str.upper())
    address = address.mask(draw < 0.040, "  " + address)
    address = address.mask(draw < 0.035, names + number + "@").mask(
        draw < 0.030, names + " at home"
    )
    address = address.mask(draw < 0.025, names + "@@" + domain).mask(draw < 0.020, "")
    return pa.array(address.mask(draw < 0.015, None), pa.string())


def _suppressions(rng: np.random.Generator, customers: pa.Table) -> pa.Table:
    """Opt-outs: some by customer, some by address, typed by hand in another case."""
    chosen = customers.take(rng.choice(customers.num_rows, 400, replace=False))
    by_customer = np.arange(400) < 200
    address = pd.Series(chosen["c_email_address"].to_pandas()).str.strip().str.upper()
    by_address = ~by_customer & address.str.fullmatch(r"[^@ ]+@[^@ ]+", na=False).to_numpy()
    kept = by_customer | by_address
    return pa.table(
        {
            "email": pa.array(address.where(by_address, None)[kept], pa.string()),
            "customer": pa.array(
                pd.Series(chosen["c_customer_sk"].to_pandas(), dtype="Int64").where(by_customer)[
                    kept
                ],
                pa.int64(),
            ),
            "reason": pa.array(rng.choice(["unsubscribed", "complaint"], int(kept.sum()))),
            "since": pa.array([LAST_SALE] * int(kept.sum()), pa.date32()),
        }
    )


def _date_dim() -> pa.Table:
    days = pd.Series(pd.date_range(CALENDAR_START, CALENDAR_END, freq="D"))
    sk = np.arange(len(days))
    when = days.dt
    month, quarter = when.month.to_numpy(), when.quarter.to_numpy()
    year, dom, dow = (
        when.year.to_numpy(),
        when.day.to_numpy(),
        (when.day_of_week.to_numpy() + 1) % 7,
    )
    months = (year - CALENDAR_START.year) * 12 + month - 1
    quarters = (year - CALENDAR_START.year) * 4 + quarter - 1
    weeks = (sk + CALENDAR_START.weekday()) // 7
    no = pa.repeat("N", len(days))

    def integers(values: np.ndarray) -> pa.Array:
        return pa.array(values, pa.int32())

    return pa.table(
        {
            "d_date_sk": _keys(sk),
            "d_date_id": pa.array([f"AAAAAAAA{key:08d}" for key in sk]),
            "d_date": pa.array(when.date, pa.date32()),
            "d_month_seq": integers(months),
            "d_week_seq": integers(weeks),
            "d_quarter_seq": integers(quarters),
            "d_year": integers(year),
            "d_dow": integers(dow),
            "d_moy": integers(month),
            "d_dom": integers(dom),
            "d_qoy": integers(quarter),
            "d_fy_year": integers(year),
            "d_fy_quarter_seq": integers(quarters),
            "d_fy_week_seq": integers(weeks),
            "d_day_name": pa.array(when.day_name()),
            "d_quarter_name": pa.array([f"{y}Q{q}" for y, q in zip(year, quarter, strict=True)]),
            "d_holiday": no,
            "d_weekend": pa.array(np.where((dow == 0) | (dow == 6), "Y", "N")),
            "d_following_holiday": no,
            "d_first_dom": integers(sk - dom + 1),
            "d_last_dom": integers(sk - dom + when.days_in_month.to_numpy()),
            "d_same_day_ly": integers(sk - 365),
            "d_same_day_lq": integers(sk - 91),
            "d_current_day": no,
            "d_current_week": no,
            "d_current_month": no,
            "d_current_quarter": no,
            "d_current_year": no,
        }
    )


def customer_id(key: int) -> str:
    """Give a customer's business key, which no other store's look like."""
    return f"AAAAAAAA{key:08d}"


def day_key(day: date) -> int:
    """Give a day's key in `date_dim`."""
    return (day - CALENDAR_START).days


def _keys(values: np.ndarray | pd.Series) -> pa.Array:
    return pa.array(values, pa.int64(), from_pandas=True)


def _money(cents: np.ndarray) -> pa.Array:
    return pa.array(cents / 100).cast(pa.decimal128(7, 2))
