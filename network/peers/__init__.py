"""Peers: who is connected, what each may still do, and what we wait for from it.

`session` runs one link (reader, writer, answers, pings), `peer` is its state (what it knows, open
requests, budgets, score), `manager` decides who may be connected (static peers redialled, inbound limit,
duplicates, bans), `lanes` is the bounded queue out. Nothing here knows what a block is good for: that is `sync`.
"""
