"""The fixtures that these tests share with those of other rooms."""

from tests.clustering.tables import table
from tests.stores import store

__all__ = ["store", "table"]
