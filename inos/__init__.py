"""What people import and type: the `inos` command line, the client, the devnet.

It reaches a running node only through its RPC, never around it. Nothing is imported
here on purpose: `inos --help` must not pay for numpy or aiohttp.

Pipeline: `cli.main` -> one module of `inos.commands`, loaded by name -> wallet, genesis
or work in this process, or a node by JSON-RPC.
"""
