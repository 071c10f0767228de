"""A deployment: the reported act of putting an artifact into an environment, and whether snapshots then saw it there."""
