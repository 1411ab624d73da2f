"""What a run has found, for people: read from its small files, told in one way everywhere."""
