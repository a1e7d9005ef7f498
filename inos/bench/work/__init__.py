"""`inos bench work`: the certified product timed against plain products of the same shape.

Pipeline: `contenders` (the calls that are timed) -> `measure` (rounds, medians and ratios) -> `report` (table, JSON,
plot).
"""
