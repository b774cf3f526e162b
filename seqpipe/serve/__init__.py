"""A model behind HTTP. Imports `seqpipe.runtime` and what that imports; no torch.

Starlette answers requests, and threads of its own the inputs in them (`queue`), in batches that never change an answer.
"""
