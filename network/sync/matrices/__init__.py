"""Fetch matrices by id from peers and providers, and keep enough copies of them."""
