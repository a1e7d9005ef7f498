"""`inos bench browser`: the browser's kernel in V8 against the node's own kernels, one thread each.

`measure` runs both in alternation. `engine.mjs` runs in Node.js, which has the same engine as Chromium, and uses the
very module and script that a page gets.
"""
