"""The HTTP and WebSocket server: who may call, JSON-RPC dispatch, the bearer token, and the explorer's files."""
