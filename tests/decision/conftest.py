"""The fixtures that these tests share with those of other rooms."""

from tests.report.conftest import files
from tests.stores import store
from tests.world import empty_store, world

__all__ = ["empty_store", "files", "store", "world"]
