"""A trail: one run of a flow, and its verdict."""
