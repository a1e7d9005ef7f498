"""Agents act for an account by themselves: the watcher, the voter with its journal, and the evidence reporter.

Each agent listens to the core's events, reads the chain, and submits transactions or votes. A node that only follows
the chain runs none of them.
"""
