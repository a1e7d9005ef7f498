"""The checks of `inos doctor`: the machine, before a node is started, and the node, if one runs.

Each check returns a finding: it is fine, could be better, or has to be fixed, and how.
"""
