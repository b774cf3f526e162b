"""Encoded steps to answers, a file a head: targets, loss, decoding.

Imports all that is below: features, decoders, decoding, metrics, answers, language.
"""
