import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.engine import Budget
from seqpipe.inference.journal import Journal

SETTINGS = {"model": "abc", "threads": 2, "device": "cpu"}
WINDOWS = [(b'{"id": 1}\n{"id": 2}\n', "d1", 2), (b'{"id": 3}\n', "d2", 1), (b'{"id": 4}\n{"id": 5}\n', "d3", 2)]


@pytest.fixture
def output(tmp_path: Path) -> str:
    return str(tmp_path / "new" / "out.jsonl")


def written(output: str, windows: int = 3) -> Journal:
    journal = Journal(output)
    journal.create(SETTINGS)
    for answers, digest, inputs in WINDOWS[:windows]:
        journal.add(answers, digest, inputs, {"missing": 1}, 1.5)
    journal.close()
    return journal


def test_what_was_added_is_there_again(output: str) -> None:
    before = written(output)
    journal = Journal(output)
    journal.resume(SETTINGS)
    assert journal.digests == before.digests == [(2, "d1"), (1, "d2"), (2, "d3")]
    assert (journal.inputs, journal.windows, journal.seconds, journal.done) == (5, 3, 4.5, False)
    assert journal.failures == {"missing": 3}
    journal.add(b"more\n", "d4", 1, {}, 0.0)
    journal.close()
    assert Path(f"{output}.partial").read_bytes() == b"".join(answers for answers, _, _ in WINDOWS) + b"more\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_wherever_writing_was_cut_off_whole_windows_are_kept_and_the_end_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A kill leaves a beginning of each file: of the answers at least what the list vouches for."""
    output = str(tmp_path_factory.mktemp("cut") / "out")
    written(output)
    store, lines = Path(f"{output}.partial"), Path(f"{output}.journal")
    whole_store, whole_lines = store.read_bytes(), lines.read_bytes()
    cut = data.draw(st.integers(0, len(whole_lines)))
    kept = max(0, whole_lines[:cut].count(b"\n") - 1)
    safe = sum(len(answers) for answers, _, _ in WINDOWS[:kept])
    lines.write_bytes(whole_lines[:cut])
    store.write_bytes(whole_store[: data.draw(st.integers(safe, len(whole_store)))])
    journal = Journal(output)
    journal.resume(SETTINGS)
    assert journal.digests == [(inputs, digest) for _, digest, inputs in WINDOWS[:kept]]
    for answers, digest, inputs in WINDOWS[kept:]:
        journal.add(answers, digest, inputs, {"missing": 1}, 1.5)
    journal.close()
    assert (store.read_bytes(), lines.read_bytes()) == (whole_store, whole_lines)


@pytest.mark.parametrize(
    ("name", "position", "message"),
    [(".partial", 3, r"partial: the answers of window 0 are not"), (".journal", 50, r"journal, line 1: is damaged")],
)
def test_a_changed_byte_is_told(output: str, name: str, position: int, message: str) -> None:
    written(output)
    path = Path(output + name)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        Journal(output).resume(SETTINGS)


def test_answers_that_are_gone_are_told(output: str) -> None:
    written(output)
    Path(f"{output}.partial").unlink()
    with pytest.raises(DataError, match=r"partial: is gone"):
        Journal(output).resume(SETTINGS)


def test_other_settings_are_refused_by_name_and_nothing_is_touched(output: str) -> None:
    written(output)
    before = {path: path.read_bytes() for path in Path(output).parent.iterdir()}
    with pytest.raises(ConfigError) as caught:
        Journal(output).resume({**SETTINGS, "threads": 4, "shard": "1/2"})
    assert "threads: 2, now 4" in str(caught.value)
    assert 'shard: null, now "1/2"' in str(caught.value)
    assert "model" not in str(caught.value)
    assert before == {path: path.read_bytes() for path in Path(output).parent.iterdir()}


def test_a_smaller_budget_is_known_after_a_resume(output: str) -> None:
    journal = Journal(output)
    journal.create(SETTINGS)
    journal.add(*WINDOWS[0], {}, 1.0)
    journal.lower_budget(Budget(1, 0, 500))
    journal.close()
    again = Journal(output)
    again.resume(SETTINGS)
    assert again.budgets == [Budget(1, 0, 500)]


def test_a_finished_list_whose_answers_became_the_output_is_recognised(output: str) -> None:
    written(output)
    journal = Journal(output)
    journal.resume(SETTINGS)
    journal.finish()
    journal.close()
    Path(f"{output}.partial").rename(output)
    again = Journal(output)
    again.resume(SETTINGS)
    assert again.done
    assert again.inputs == 5


def test_a_newer_format_is_refused(output: str) -> None:
    import zlib

    written(output)
    path = Path(f"{output}.journal")
    text = json.dumps({"kind": "settings", "format": 99}).encode()
    path.write_bytes(b"%08x %s\n" % (zlib.crc32(text), text))
    with pytest.raises(DataError, match="another version"):
        Journal(output).resume(SETTINGS)


@pytest.mark.parametrize("call", ["create", "resume"])
def test_two_processes_do_not_write_the_same_output(output: str, call: str) -> None:
    import subprocess
    import sys

    written(output)
    holder = (
        "import sys, time\nfrom seqpipe.inference.journal import Journal\njournal = Journal(sys.argv[1])\n"
        f"journal.resume({SETTINGS})\nprint('held', flush=True)\ntime.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", holder, output], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    before = Path(f"{output}.journal").read_bytes()
    with pytest.raises(ConfigError, match="another process is writing it"):
        getattr(Journal(output), call)(SETTINGS)
    assert Path(f"{output}.journal").read_bytes() == before
    process.kill()
    process.wait()
    Journal(output).resume(SETTINGS)
