"""The verbs of the command line, a file each.

A verb's module has `SUMMARY`, `EXAMPLE`, `arguments(parser)`, which declares its options, and `run(options) -> int`,
which imports what it needs and returns the exit status. `LIST` names the option that takes what comes after others.
"""

from __future__ import annotations

from types import ModuleType

from seqpipe.verbs import check, compare, crossval, evaluate, find_rate, infer, report, train, tune

DONE, FAILED, WRONG_USAGE = 0, 1, 2

VERBS: dict[str, ModuleType] = {
    "train": train,
    "evaluate": evaluate,
    "infer": infer,
    "report": report,
    "compare": compare,
    "check": check,
    "find-rate": find_rate,
    "crossval": crossval,
    "tune": tune,
}
