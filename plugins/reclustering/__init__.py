"""Cluster customers by what they return.

The work of the pipeline, task by task: tables and arrays in, results out. Nothing here imports
Airflow or a database driver, so every function can be called from a notebook or a test.
"""
