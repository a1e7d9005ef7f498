"""The native backend: C kernels, one per kind of processor, chosen at run time.

`build` compiles `csrc` at install; `library` loads it and names what is missing; `backend` runs a slice
tile by tile in threads; `prepared` is W packed under its noise; `check` is Freivalds' check. It knows what
`inos.work.backends` knows, and no seals or blocks.
"""
