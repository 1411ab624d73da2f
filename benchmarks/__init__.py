"""How fast the clustering is, and how good, beside scikit-learn on every row."""
