"""The warehouse: twin hooks for SQL Server and DuckDB, with the same verbs and the same errors.

The only place that knows a driver or a dialect. What both can do is in `core.protocols`.
"""

from reclustering.warehouse.connection import connect

__all__ = ["connect"]
