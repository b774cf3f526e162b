"""What a command costs before it does anything: importing torch alone takes seconds."""

import importlib
import subprocess
import sys

import pytest

import seqpipe

HEAVY = {
    "torch",
    "pydantic",
    "lightning",
    "numpy",
    "torchaudio",
    "librosa",
    "datasets",
    "matplotlib",
    "pyarrow",
    "yaml",
    "PIL",
}


def imported(code: str) -> set[str]:
    """Top-level modules that are loaded after the code has run in a fresh interpreter."""
    lines = f"{code}\nimport sys\nprint('\\nloaded', *{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_the_test_would_see_a_heavy_module() -> None:
    assert "numpy" in imported("import numpy")


@pytest.mark.parametrize(
    "code",
    [
        "import seqpipe",
        "import seqpipe; dir(seqpipe); seqpipe.__version__; seqpipe.__all__",
        "from seqpipe import ConfigError",
        *(
            f"import seqpipe.cli\ntry:\n    seqpipe.cli.main({arguments})\nexcept SystemExit:\n    pass"
            for arguments in (["-h"], ["--version"], ["train", "-h"], ["infer", "-h"], ["frobnicate"])
        ),
    ],
)
def test_looking_around_imports_nothing_heavy(code: str) -> None:
    assert not imported(code) & HEAVY


def test_predicting_does_not_import_what_only_training_needs() -> None:
    assert not imported("from seqpipe import Predictor, load, Pipeline") & {
        "lightning",
        "matplotlib",
        "datasets",
        "librosa",
    }


def test_only_images_import_what_reads_images() -> None:
    speech = "from seqpipe import Waveform, LogMel, LineImage; LogMel(sample_rate=8000); LineImage()"
    speech += "; Waveform(sample_rate=8000).prepare({'array': [0.1] * 800, 'sampling_rate': 8000}, None)"
    assert "PIL" not in imported(speech)
    assert "PIL" in imported(
        "import numpy; from seqpipe import LineImage; LineImage().prepare(numpy.ones((9, 9)), None)"
    )


def test_every_public_name_is_there_and_from_its_own_module() -> None:
    for name, module in seqpipe.EXPORTS.items():
        value = getattr(seqpipe, name)
        assert value is getattr(importlib.import_module(module), name)
        assert name in dir(seqpipe)
    with pytest.raises(AttributeError, match="module 'seqpipe' has no attribute 'nothing'"):
        _ = seqpipe.nothing
