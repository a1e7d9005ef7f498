"""What acts for an account by itself: the watcher, the voter with its journal, the evidence reporter.

Each agent listens to the core's events, reads the chain and submits transactions or votes. A node that only
follows the chain runs none of them.
"""
