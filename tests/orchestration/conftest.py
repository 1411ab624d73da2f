"""A bucket."""

from tests.buckets import bucket, s3, s3_endpoint

__all__ = ["bucket", "s3", "s3_endpoint"]
