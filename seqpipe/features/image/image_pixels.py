"""Pixels of any depth and colour as brightness: images of Pillow in mode L (8 bits) or F (float32, 0 to 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqpipe.errors import InputError

Brightness = Any
"""An image of Pillow, in mode L, or F with 0 to 1."""
FULL_SCALES = (1.0, 255.0, *(float(np.float32(2**bits - 1)) for bits in (10, 12, 14, *range(16, 33))))
"""What white may be in pixels of more than 8 bits: cameras and scanners use 10, 12 or 14 of 16, and sums any of 32."""
WHITE_IS_ZERO, PHOTOMETRIC = 0, 262


def brightness_of(image: Any, name: str) -> Brightness:
    """What an image of Pillow shows, on white where it is transparent.

    Raises:
        InputError: it holds values that are no finite numbers.
    """
    if image.mode.startswith("I") or image.mode == "F":
        image.load()
        values = np.asarray(image, dtype=np.float32)
        scaled = _scaled(values, name)
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):  # the grey of a PNG that stands for nothing
            scaled = np.where(values == transparent, np.float32(1), scaled)
        if getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:  # Pillow minds it up to 8 bits only
            scaled = 1 - scaled
        return _image(scaled)
    if image.mode == "LAB":
        return image.getchannel("L")
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        return _on_white(image.convert("RGBA"))
    return image.convert("L")


def check_shape(array: NDArray[Any], name: str) -> None:
    """Raises `InputError` if an array is no image ``[H, W]``, ``[H, W, 3]`` or ``[H, W, 4]``, or has no pixels."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(
            "bad value", f"{name}: an array should be [H, W], [H, W, 3] or [H, W, 4]; received {list(array.shape)}"
        )
    if array.size == 0:
        raise InputError("empty", f"{name}: has {array.shape[1]} x {array.shape[0]} pixels")


def brightness_of_array(array: NDArray[Any], name: str) -> Brightness:
    """What an array ``[H, W]``, ``[H, W, 3]`` or ``[H, W, 4]`` shows: uint8, uint16, bool, or float from 0 to 1.

    Raises:
        InputError: it is of another shape or type, without pixels, or its values lie outside.
    """
    from PIL import Image

    check_shape(array, name)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint8:
        image = Image.fromarray(np.ascontiguousarray(array))
        return _on_white(image) if image.mode == "RGBA" else image.convert("L")
    if array.dtype == np.uint16:
        values = _scaled(array.astype(np.float32), name)
    elif np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float32)
        _check_finite(values, name)
        if values.min() < -0.001 or values.max() > 1.001:  # sums of weights may go beyond by rounding
            raise InputError(
                "bad value",
                f"{name}: an array of floats should be brightness from 0 to 1; received "
                f"{values.min():g} to {values.max():g}",
            )
    else:
        raise InputError(
            "bad value", f"{name}: an array should be uint8, uint16, bool or floats from 0 to 1; received {array.dtype}"
        )
    if values.ndim == 3:
        grey = values[:, :, :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, as Pillow has it
        values = grey if values.shape[2] == 3 else 1 + (grey - 1) * values[:, :, 3]
    return _image(values)


def _on_white(image: Any) -> Brightness:
    from PIL import Image

    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("L")


def _scaled(values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """0 to 1."""
    _check_finite(values, name)
    low, high = float(values.min()), float(values.max())
    full = next((full for full in FULL_SCALES if high <= full), high)
    if low < 0:  # no scale is known that begins there
        return (values - low) / max(high - low, 1e-6)
    return values / np.float32(full)


def _check_finite(values: NDArray[np.float32], name: str) -> None:
    if not np.isfinite(values).all():
        row, column = (int(place) for place in np.argwhere(~np.isfinite(values))[0][:2])
        raise InputError("non-finite", f"{name}: the pixel at {column}, {row} is not a finite number")


def _image(values: NDArray[np.float32]) -> Brightness:
    from PIL import Image

    return Image.fromarray(np.clip(values, 0, 1).astype(np.float32, copy=False))
