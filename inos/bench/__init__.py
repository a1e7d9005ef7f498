"""Benchmarks of `inos bench`, one module or package each: it measures, and describes what it measured in lines.

`work` times products, `floats` float64 products, `sync` and `snapshot` new nodes, `mesh` stored and fetched matrices,
`net` links and blocks between nodes, `blocks` the worst blocks of each kind, `finality` and `challenge` single checks,
`start` what people wait for.
They share `chains` (chains made fast), `chain_files` (chains kept between runs), `machine` and `timing`.
"""
