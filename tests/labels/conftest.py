"""The fixtures that these tests share with those of other rooms."""

from tests.stores import store

__all__ = ["store"]
