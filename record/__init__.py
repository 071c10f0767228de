"""What the system is: the ledger, the rows read from it, the rules, and the vault. Knows neither HTTP nor queues."""
