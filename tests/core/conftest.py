"""The fixtures that the tests of this room share."""

from tests.buckets import bucket, s3, s3_endpoint

__all__ = ["bucket", "s3", "s3_endpoint"]
