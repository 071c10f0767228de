"""The ledger: entries in, receipts out; tiles, checkpoints and proofs over them. The arithmetic is `muniment.proof`'s."""
