"""A notice: what is told to whom when something happens, and the history of each telling."""
