"""Where in a row's counts each kind of count stands."""

from __future__ import annotations

from collections.abc import Sequence


class Layout:
    """Named blocks of counts, one after the other.

    Args:
        blocks: names of the counts of each block.

    Attributes:
        names: of all counts, in their order.

    Example:
        >>> layout = Layout(rows=["rows", "correct_rows"], words=["words"])
        >>> layout["words"], layout.names
        (slice(2, 3, None), ('rows', 'correct_rows', 'words'))
    """

    def __init__(self, **blocks: Sequence[str]) -> None:
        self.names: tuple[str, ...] = ()
        self._slices: dict[str, slice] = {}
        for block, names in blocks.items():
            self._slices[block] = slice(len(self.names), len(self.names) + len(names))
            self.names += tuple(names)

    def __getitem__(self, block: str) -> slice:
        return self._slices[block]
