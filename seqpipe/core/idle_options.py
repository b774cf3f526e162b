"""Options of decoding that the method in use doesn't look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def idle_options(of_methods: Mapping[str, Sequence[str]], method: str, chosen: Iterable[str]) -> list[tuple[str, str]]:
    """Those among options that were chosen for one use of a model, each with what is wrong with that.

    Args:
        of_methods: the methods that look at an option; all do where it isn't named.
        method: that is used.
        chosen: names of options.
    """
    return [
        (name, f"is for method {' or '.join(methods)}, not {method}: set decoding.method too")
        for name in chosen
        if method not in (methods := of_methods.get(name, (method,)))
    ]
