"""How people and programs reach the record: HTTP in, refusals and answers out. Decides nothing; the record does."""
