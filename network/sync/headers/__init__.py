"""Learns the chains of headers that the peers have: by locator requests, and by a plan for long chains."""
