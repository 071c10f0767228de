"""Search: one box for fingerprints, commits and names."""
