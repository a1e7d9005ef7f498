"""The native interpreter: programs compiled into words, which C code runs.

`chains` finds which operations run together, entry by entry, without storing what lies between them; `emitting` writes
such a chain as instructions on registers; `compiler` writes a whole program with its loops; `interpreter` runs it.
`build` compiles `csrc` at install, and `library` loads it. Products and random numbers are calls back into Python.

Results are those of the numpy interpreter, bit for bit: property tests hold them together.
"""
