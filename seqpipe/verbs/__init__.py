"""The commands of ``seqpipe``, a file each. Imports everything below, when a command runs."""

from __future__ import annotations

from types import ModuleType

from seqpipe.verbs import (
    align,
    calibrate,
    check,
    compare,
    crossval,
    estimate_ngram,
    evaluate,
    export,
    find_rate,
    fit_borders,
    generate,
    infer,
    perplexity,
    push,
    reply,
    report,
    serve,
    train,
    tune,
    tune_decoding,
)

VERBS: dict[str, ModuleType] = {
    "train": train,
    "evaluate": evaluate,
    "infer": infer,
    "export": export,
    "serve": serve,
    "push": push,
    "generate": generate,
    "reply": reply,
    "align": align,
    "fit-borders": fit_borders,
    "report": report,
    "compare": compare,
    "calibrate": calibrate,
    "check": check,
    "find-rate": find_rate,
    "crossval": crossval,
    "tune": tune,
    "estimate-ngram": estimate_ngram,
    "perplexity": perplexity,
    "tune-decoding": tune_decoding,
}
