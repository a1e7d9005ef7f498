"""`inos bench net`: links between processes, and blocks between real nodes, on this machine.

`links` measures one link between two processes: small messages, large answers. `nodes` measures real nodes over
loopback: how soon all of them have a block, a silent peer is noticed and a restarted node is back at the tip, and how
floods delay honest blocks. `partner` is the other process of a link: it counts, answers, floods or stays idle;
`process` runs it. `tips` records when nodes have a block. `report` measures everything and describes it.
"""
