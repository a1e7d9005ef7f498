"""The description of all methods, generated from their types: the OpenRPC document and the reference page."""
