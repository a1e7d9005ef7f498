"""Writes the generated code of `inos.client`: `make models` runs it, and a test holds the committed files to it.

`models` turns the node's OpenRPC document into structs for its answers; `methods` turns the asynchronous client into
a blocking one.
"""
