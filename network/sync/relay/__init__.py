"""Relays new blocks, transactions and votes, and takes in those that peers announce."""
