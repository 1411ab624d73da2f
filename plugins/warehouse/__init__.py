"""The warehouse: twin hooks for SQL Server and DuckDB, with the same verbs and the same errors.

The only place that knows a driver or a dialect.
"""

from warehouse.connection import connect
from warehouse.verbs import Session, Warehouse

__all__ = ["Session", "Warehouse", "connect"]
