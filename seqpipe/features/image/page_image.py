"""Images of pages, decoded once for all of their lines."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqpipe.core.input import FileSpan
from seqpipe.core.warning import warn
from seqpipe.features.image.image_file import opened, read_brightness

MAX_PIXELS = 200_000_000
"""Of a page: A2 at 600 dots per inch has 139 million."""
KEPT_BYTES = 128 * 2**20
"""Of decoded pages in a process: nine of 3,000 x 4,500 pixels. The page in hand is kept however large it is."""

_Key = tuple[str, int, int]


class _Page:
    """A page, or the place where one will stand; only one thread decodes it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pixels: NDArray[np.uint8] | None = None
        self.count = 1  # of the file's pages


class _Kept:
    """The pages that were asked for last, the latest at the end."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pages: OrderedDict[_Key, _Page] = OrderedDict()

    def page(self, key: _Key) -> _Page:
        with self.lock:
            page = self.pages.setdefault(key, _Page())
            self.pages.move_to_end(key)
            return page

    def forget_old(self) -> None:
        with self.lock:
            total = 0
            for key, page in reversed(list(self.pages.items())):
                total += 0 if page.pixels is None else page.pixels.nbytes
                if total > KEPT_BYTES and page is not next(reversed(self.pages.values())):
                    del self.pages[key]

    def drop(self, key: _Key) -> None:
        with self.lock:
            self.pages.pop(key, None)


_kept = _Kept()


def _begin_anew() -> None:
    """In a process that was forked, a lock may be held by a thread that isn't there."""
    global _kept
    _kept = _Kept()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def page_pixels(path: Path) -> NDArray[np.uint8]:
    """The brightness of a page's image, ``[H, W]`` uint8, not to be written to; decoded when it is first asked for.

    Of a file of several pages it is the first, and `warn` is told. May be called from several threads. A file that
    changes is read again.

    Raises:
        InputError: the image is missing, unreadable, no image, truncated or larger than `MAX_PIXELS`.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):  # reading it will say what is wrong
        return _decode(path)[0]
    key = (str(path), status.st_mtime_ns, status.st_size)
    kept = _kept
    page = kept.page(key)
    with page.lock:
        if page.pixels is None:
            try:
                page.pixels, page.count = _decode(path)
            except BaseException:
                kept.drop(key)
                raise
    kept.forget_old()
    if page.count > 1:
        warn("several pages", f"{path}: the file has {page.count:,} pages; the lines are looked for on the first")
    return page.pixels


def page_size(path: Path) -> tuple[int, int]:
    """Width and height of a page's image, by its header; raises as `page_pixels` does."""
    with opened(FileSpan(path), max_pixels=MAX_PIXELS) as found:
        return found.width, found.height


def _decode(path: Path) -> tuple[NDArray[np.uint8], int]:
    """The page's pixels, and how many pages the file has."""
    with opened(FileSpan(path), max_pixels=MAX_PIXELS) as found:
        image = read_brightness(found, width=found.width, height=found.height)
        pixels = np.array(image)
    if pixels.dtype != np.uint8:  # of more than 8 bits: 0 to 1
        pixels = np.rint(pixels * 255).astype(np.uint8)
    pixels.setflags(write=False)
    return pixels, found.pages
