"""`inos bench net`: what links and real nodes do on this machine.

`links` measures one link between two processes: small messages, large answers. `nodes` measures real nodes over
loopback: how soon blocks are everywhere, a silent peer is noticed, a restarted one is served again, and what floods do
to honest blocks. `partner` is the other process: it counts, answers, floods or just stays; `process` runs it. `tips`
watches when nodes have a block. `report` shows it all.
"""
