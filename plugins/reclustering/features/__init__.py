"""The feature table: what the warehouse is asked for, checked and kept."""
