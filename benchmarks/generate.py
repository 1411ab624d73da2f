"""Feature tables shaped like the tutorial's, of any size.

Of every 37,336 customers 31,675 returned nothing, 4,989 returned much of the little they bought,
671 return often and little, and one returned a hundred times what was paid. Ratios are continuous
(rounded to seven decimals, as the pipeline does), so that distinct rows grow with the customers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reclustering.core.contracts import FEATURES_SCHEMA

CHUNK = 250_000
"""Rows to a row group: the table is written batch by batch, as extraction does."""

SHARES = np.array([31_675, 4_989, 671, 1]) / 37_336


def write_customers(rows: int, out: Path, shape: str = "tutorial", seed: int = 111) -> None:
    """Write a seeded features.parquet of `rows` customers to `out`, of one of `SHAPES`."""
    rng = np.random.default_rng(seed)
    with pq.ParquetWriter(out, FEATURES_SCHEMA) as writer:
        for first in range(0, rows, CHUNK):
            writer.write_table(SHAPES[shape](rng, first, min(CHUNK, rows - first)))


def _table(first: int, ratios: np.ndarray, frequency: np.ndarray) -> pa.Table:
    columns = [np.arange(first + 1, first + len(ratios) + 1, dtype=np.int64)]
    columns += [np.round(ratios[:, j], 7) for j in range(3)]
    return pa.table([*columns, frequency], schema=FEATURES_SCHEMA)


def _distinct(rng: np.random.Generator, first: int, rows: int) -> pa.Table:
    return _table(first, rng.exponential(1, (rows, 3)), rng.integers(0, 20, rows))


def _wild(rng: np.random.Generator, first: int, rows: int) -> pa.Table:
    ratios, frequency = _returns(rng, rows)
    if first == 0:
        ratios[0] = 1e7
    return _table(first, ratios, frequency)


def _tutorial(rng: np.random.Generator, first: int, rows: int) -> pa.Table:
    return _table(first, *_returns(rng, rows))


SHAPES = {"tutorial": _tutorial, "wild": _wild, "distinct": _distinct}
"""Like the tutorial's; the same with one row at ten million; no two rows the same."""


def _returns(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    group = rng.choice(4, size=rows, p=SHARES)
    seldom, often, outlier = (group == g for g in (1, 2, 3))
    ratios = np.zeros((rows, 3))
    frequency = np.zeros(rows, dtype=np.int64)

    n = int(seldom.sum())
    frequency[seldom] = 1 + rng.binomial(2, 0.05, n)
    orders = rng.beta(1.6, 0.62, n)
    items = orders * rng.beta(2.2, 1.3, n)
    ratios[seldom] = np.column_stack([orders, items, items * rng.beta(2.0, 0.95, n)])

    n = int(often.sum())
    frequency[often] = 3 + rng.geometric(0.45, n)
    orders = rng.beta(6.0, 38.0, n)
    items = orders * rng.beta(8.0, 6.0, n)
    ratios[often] = np.column_stack([orders, items, items * rng.beta(8.0, 6.0, n)])

    n = int(outlier.sum())
    frequency[outlier] = 1
    ratios[outlier] = np.column_stack([np.ones(n), np.full(n, 2.0), rng.lognormal(4.6, 0.3, n)])
    return ratios, frequency
