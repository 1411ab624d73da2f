"""The target list: who is on it, who is not and why, and what stops it."""
