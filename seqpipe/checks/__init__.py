"""Problems of data, found before training: what ``seqpipe check`` and ``train`` both do.

Imports the pipeline and data.
"""
