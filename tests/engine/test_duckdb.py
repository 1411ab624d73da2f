"""A table of customers is a file, or a folder of part files; who reads it does not notice."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from reclustering.core.artifacts import fetch, publish, publish_parts
from reclustering.core.contracts import FEATURES_SCHEMA
from reclustering.core.errors import BadInputError
from reclustering.core.tables import COMPLETE, count_rows, read_table_batches
from reclustering.engine.duckdb import DuckDBEngine
from tests.clustering.tables import cluster_customers, find_elbow, label_customers, returns, save
from tests.parts import into_parts


def test_parts_give_the_same_clusters_and_labels(tmp_path: Path) -> None:
    file, folder = (save(tmp_path / f"{name}.parquet", returns(3_000)) for name in "ab")
    into_parts(folder, 700, 701, 2_000)
    found = [
        (
            find_elbow(path, k=None, k_max=9, scaling="log"),
            cluster_customers(path, k=4, scaling="log"),
        )
        for path in (file, folder)
    ]
    assert found[0] == found[1]
    for path, name in ((file, "one"), (folder, "two")):
        label_customers(path, found[0][1], tmp_path / name)
    assert pq.read_table(tmp_path / "one").equals(pq.read_table(tmp_path / "two"))


def test_a_folder_that_was_not_written_to_its_end_is_refused(tmp_path: Path) -> None:
    folder = into_parts(save(tmp_path / "features.parquet", returns(100)), 40)
    (folder / COMPLETE).unlink()
    with (
        pytest.raises(BadInputError, match=r"features\.parquet has no _SUCCESS.*Clear the task"),
        DuckDBEngine().open(UPath(folder), "features", FEATURES_SCHEMA.names),
    ):
        pass


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(0, 60),
    cuts=st.lists(st.integers(0, 60), max_size=3).map(sorted),
    group=st.integers(1, 30),
    size=st.integers(1, 25),
    start=st.integers(0, 70),
    length=st.none() | st.integers(0, 70),
)
def test_any_range_of_rows_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    cuts: list[int],
    group: int,
    size: int,
    start: int,
    length: int | None,
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    bounds = [0, *(min(cut, rows) for cut in cuts), rows]
    for i, (first, last) in enumerate(pairwise(bounds)):
        part = pa.table({"customer": np.arange(first, last)})
        pq.write_table(part, folder / f"part-{i}.parquet", row_group_size=group)
    (folder / COMPLETE).touch()
    stop = None if length is None else start + length
    batches = list(read_table_batches(folder, size, start=start, stop=stop))
    assert [one for batch in batches for one in batch["customer"].to_pylist()] == list(range(rows))[
        start:stop
    ]
    assert all(batch.num_rows <= size for batch in batches)
    assert count_rows(folder) == rows


def test_a_folder_takes_the_place_of_a_file_and_a_file_that_of_a_folder(tmp_path: Path) -> None:
    target = UPath(tmp_path / "labels.parquet")
    killed = tmp_path / ".abc.labels.parquet"
    for write in (file_of, parts_of, parts_of, file_of):
        killed.mkdir()
        (killed / "part-0.parquet").touch()
        write(target)
        with fetch(target) as local:
            assert [b["a"].to_pylist() for b in read_table_batches(local, 9)] == [[1, 2]]
        assert [path.name for path in tmp_path.iterdir()] == ["labels.parquet"]


def file_of(target: UPath) -> None:
    with publish(target) as scratch:
        pq.write_table(pa.table({"a": [1, 2]}), scratch)


def parts_of(target: UPath) -> None:
    with publish_parts(target) as scratch:
        pq.write_table(pa.table({"a": [1, 2]}), Path(str(scratch), "part-0.parquet"))
        Path(str(scratch), ".part-0.parquet.crc").touch()
        Path(str(scratch), COMPLETE).touch()


def test_of_an_attempt_that_fails_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), publish_parts(UPath(tmp_path / "labels.parquet")):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
