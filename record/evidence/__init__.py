"""Evidence: files in the vault, known by their digest, and the entries that say they are there."""
