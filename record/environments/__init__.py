"""An environment: a place where artifacts run. Snapshots of what ran there, and what follows from them."""
