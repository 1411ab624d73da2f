"""From the feature table to clusters: how many, which, and who is in them."""
