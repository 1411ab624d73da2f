"""The fixtures of these tests."""

from tests.clustering.tables import table

__all__ = ["table"]
