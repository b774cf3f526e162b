"""Encoded steps to answers, a file a head: targets, loss, decoding.

Imports all that is below: features, decoders, decoding, metrics, answers, language.
"""

import seqpipe.language.ngram  # noqa: F401 - wherever a head decodes, a language model may be an ARPA file
