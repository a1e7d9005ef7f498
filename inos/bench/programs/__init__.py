"""How fast programs run: a chain of elementwise operations, and a language model that writes.

`decoder` writes the model as one program, and `measure` times both with the native and the numpy interpreter.
"""
