"""What is not needed is not imported: the command answers at once."""

import subprocess
import sys

HEAVY = ("torch", "pydantic", "lightning", "torchaudio", "librosa", "datasets", "matplotlib")


def loaded(code: str) -> list[str]:
    """Heavy modules that are there after running the code in a fresh interpreter."""
    report = f"import sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return eval(done.stdout.splitlines()[-1])


def test_importing_the_package_imports_nothing_heavy():
    assert loaded("import seqpipe") == []


def test_help_imports_nothing_heavy():
    assert loaded("from seqpipe.cli import main\ntry: main(['-h'])\nexcept SystemExit: pass") == []


def test_stages_without_audio_leave_the_audio_libraries_alone():
    assert set(loaded("from seqpipe import RecurrentEncoder, CTCHead")) <= {"torch", "pydantic"}


def test_a_name_that_is_not_there_is_an_attribute_error():
    done = subprocess.run([sys.executable, "-c", "import seqpipe; seqpipe.nothing"], capture_output=True, text=True)
    assert "has no attribute 'nothing'" in done.stderr
