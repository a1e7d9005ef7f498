"""What `inos doctor` looks at: the machine before a node is started, and the node where one runs.

Each check is a function of what it looks at and returns a finding: fine, worth knowing, or to be mended, and how.
"""
