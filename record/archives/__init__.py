"""An archive: everything about a question, assembled with its proofs, for a stranger to check offline."""
