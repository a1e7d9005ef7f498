"""Fetches matrices by id from peers and providers, and keeps enough copies of them."""
