"""The engines that can do the work on all customers: DuckDB in the task's process, or a Spark cluster."""
