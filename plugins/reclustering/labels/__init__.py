"""The labels in the warehouse: published, and read back by later runs."""
