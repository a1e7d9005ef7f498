"""Composes a node from its parts: settings, data directory, and the order in which parts start and stop.

This package holds no rules and no logic of its own: `consensus` has the rules, `chain` stores, `core` changes the
state in one writer thread, `network` and `rpc` talk to others, `miner` and `agents` work on their own.

A node starts in this order: settings (flags before environment before file), data directory (locked), ledger,
matrices, core, network, miner and agents, RPC, ready file. It stops in the opposite order.
"""
