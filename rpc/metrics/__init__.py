"""Prometheus metrics of a node, and the server that exposes them with /health and /ready."""
