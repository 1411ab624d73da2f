"""Cluster customers by what they return, and mail marketing the list to write to.

A room for each stage (`features`, `clustering`, `labels`, `target_list`, `delivery`), the adapters
that know a driver or a protocol (`warehouse`, `mail`), what the DAG files share (`orchestration`),
and `core`, on which all of them rest. The stages know neither Airflow nor a database driver, and
never each other: what passes between them is a file (`core.contracts`). `steps` joins them.
"""
