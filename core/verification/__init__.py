"""Seals, signatures and products are checked here, before and outside the writer."""
