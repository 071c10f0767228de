"""Scrubbing: everything that is kept is read again and held against everything else, and what was found is recorded."""
