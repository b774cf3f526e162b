"""Trained models written as ONNX, for runtimes without torch.

Imports what stands below verbs: pipelines, batch inference and scores, and `seqpipe.runtime`, against which it checks.
"""
