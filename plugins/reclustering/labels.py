"""The cluster of every customer, streamed from one Parquet file to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reclustering.clusters import assign
from reclustering.errors import BadInputError
from reclustering.features import FEATURES, SCHEMA

LABELS_SCHEMA = SCHEMA.append(pa.field("cluster", pa.uint8(), nullable=False))


REPEATED = ["frequency", "cluster"]
"""Columns of few values: a dictionary of the others only costs time."""


def write_labels(
    features: Path, clusters: dict[str, Any], out: Path, batch_size: int = 262_144
) -> int:
    """Write features.parquet with a column `cluster` more, row by row in the same order.

    Parameters
    ----------
    features : Path
        A validated features.parquet.
    clusters : dict
        The content of clusters.json.
    out : Path
        Where to write labels.parquet.
    batch_size : int
        Rows in memory at a time; the labels do not depend on it.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    BadInputError
        If `features` cannot be read.
    """
    rows = 0
    try:
        with (
            # Pre-buffering would read the whole file into memory.
            pq.ParquetFile(features, pre_buffer=False) as source,
            pq.ParquetWriter(out, LABELS_SCHEMA, use_dictionary=REPEATED) as sink,
        ):
            for batch in source.iter_batches(batch_size, columns=SCHEMA.names):
                # Buffers are passed on as they are: pyarrow's own conversions import pandas first.
                X = np.column_stack([np.from_dlpack(batch[name]) for name in FEATURES])
                labels = pa.py_buffer(assign(clusters, X))
                cluster = pa.Array.from_buffers(pa.uint8(), batch.num_rows, [None, labels])
                sink.write_batch(pa.record_batch([*batch.columns, cluster], schema=LABELS_SCHEMA))
                rows += batch.num_rows
    except (pa.ArrowInvalid, OSError, KeyError) as error:
        raise BadInputError(
            f"{features} cannot be read as a feature table ({error}). "
            "Clear extract_features to write it again."
        ) from error
    return rows
