"""Peers: who is connected, what each may still do, and what we wait for from it.

`session` runs one link (reader, writer, answers, pings), `peer` is its state (what it knows, open
requests, budgets, score), `manager` decides who may be connected (limits per kind of link, duplicates, bans),
`static` keeps named peers, `short` opens links for a few questions, `lanes` is the bounded queue out.
Nothing here knows what a block is good for: that is `sync`.
"""
