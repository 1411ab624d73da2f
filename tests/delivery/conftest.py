"""The fixtures that these tests share with those of other rooms."""

from tests.buckets import bucket, s3, s3_endpoint
from tests.smtp_servers import script
from tests.stores import store
from tests.world import empty_store, world

__all__ = ["bucket", "empty_store", "s3", "s3_endpoint", "script", "store", "world"]
