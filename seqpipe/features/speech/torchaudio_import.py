"""torchaudio, imported at first use by the audio code alone."""

from __future__ import annotations

from typing import Any


def torchaudio_functional() -> Any:
    """``torchaudio.functional``.

    Raises:
        ImportError: torchaudio doesn't fit the installed torch; the message says which torch to install.
    """
    try:
        import torchaudio.functional
    except (ImportError, OSError, RuntimeError) as error:
        import torch

        raise ImportError(
            f"torchaudio can't be imported with torch {torch.__version__} ({error}); torchaudio 2.11 works with the "
            'default builds of torch 2.11 to 2.14: pip install "torch>=2.11,<2.15" "torchaudio==2.11.*"'
        ) from error
    return torchaudio.functional
