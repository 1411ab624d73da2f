"""The fixtures that these tests share with those of other rooms."""

from tests.smtp_servers import script
from tests.stores import store
from tests.world import empty_store, world

__all__ = ["empty_store", "script", "store", "world"]
