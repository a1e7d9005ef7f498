"""Checks that run before and outside the writer: seals, signatures and products."""
