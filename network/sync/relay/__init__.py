"""Pass on new blocks, transactions and votes, and take in those that peers announce."""
