"""Images of pages, decoded once for all of their lines."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import InputError

KEPT_BYTES = 128 * 2**20
"""Of decoded pages in a process: nine of 3,000 x 4,500 pixels. The page in hand is kept however large it is."""

_Key = tuple[str, int, int]


class _Page:
    """A page, or the place where one will stand; only one thread decodes it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pixels: NDArray[Any] | None = None


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


def page_pixels(path: Path) -> NDArray[Any]:
    """The brightness of a page's image, ``[H, W]`` uint8, not to be written to; decoded when it is first asked for.

    May be called from several threads. A file that changes is read again.

    Raises:
        InputError: the image is missing, unreadable, no image or too large.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise InputError("missing", f"{path}: no such file") from None
    except OSError as error:
        raise InputError("unreadable", f"{path}: {error.strerror}") from None
    key = (str(path), status.st_mtime_ns, status.st_size)
    kept = _kept
    page = kept.page(key)
    with page.lock:
        if page.pixels is None:
            try:
                page.pixels = _decode(path)
            except BaseException:
                kept.drop(key)
                raise
    kept.forget_old()
    return page.pixels


def page_size(path: Path) -> tuple[int, int]:
    """Width and height of a page's image, by its header; raises as `page_pixels` does."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.size
    except FileNotFoundError:
        raise InputError("missing", f"{path}: no such file") from None
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError("undecodable", f"{path}: is not an image that can be decoded ({error})") from None


def _decode(path: Path) -> NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("L"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError("undecodable", f"{path}: is not an image that can be decoded ({error})") from None
    pixels.setflags(write=False)
    return pixels
