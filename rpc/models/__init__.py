"""The pydantic models that several methods share, and the renderer that makes them from the chain's structs.

Models exist only here and in `inos.rpc.methods`, at the edge of the node. `values` has the base class and the types of
single values, `chain`, `jobs` and `transactions` the models, `render` the functions that fill them.
"""
