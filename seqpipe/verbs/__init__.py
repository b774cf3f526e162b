"""The commands of ``seqpipe``, a file each. Imports everything below, when a command runs."""

from __future__ import annotations

from types import ModuleType

from seqpipe.verbs import align, check, compare, crossval, evaluate, find_rate, infer, report, train, tune

DONE, FAILED, WRONG_USAGE = 0, 1, 2

VERBS: dict[str, ModuleType] = {
    "train": train,
    "evaluate": evaluate,
    "infer": infer,
    "align": align,
    "report": report,
    "compare": compare,
    "check": check,
    "find-rate": find_rate,
    "crossval": crossval,
    "tune": tune,
}
