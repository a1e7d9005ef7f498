"""A node's RPC for programs: one transport, typed methods, jobs posted and results fetched."""
