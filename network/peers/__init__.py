"""This package knows which nodes are connected, what each may still do, and which answers this node waits for.

`session` runs one link: its reader, writer, answers and pings. `peer` is the state of a link: known objects, open
requests, budgets and score. `manager` decides which nodes may be connected, by limits per kind of link, duplicates and
bans. `static` keeps the peers that the user named, `short_links` opens links for a few requests, `send_queue` holds
what waits to be sent. What blocks, transactions and matrices mean is known to `inos.network.sync` only.
"""
