"""Matrices of a running node: stored, read, fetched, and kept while they are needed."""
