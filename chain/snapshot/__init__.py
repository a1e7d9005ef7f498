"""A state that arrives from peers instead of by executing every block: ranges, import, and the ledger over both."""
