"""What a node does thousands of times a block, in C: hashes, updates of the state tree, Schnorr signatures.

`build` compiles `csrc` at install; `library` loads it. Each has a version in Python that gives the same answers and is
used where no compiler was found. The interpreter's lock is released during a call.
"""
