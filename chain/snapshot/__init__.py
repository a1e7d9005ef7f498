"""Snapshot sync in the chain: reading state ranges for peers, importing a state, and the ledger that does both."""
