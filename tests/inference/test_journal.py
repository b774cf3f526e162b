import json
import os
import shutil
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqpipe.errors import ConfigError, DataError
from seqpipe.inference.journal import Journal
from seqpipe.inference.window import Budget

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
    # The settings are on disk before the first answer is.
    most = len(whole_store) if b"\n" in whole_lines[:cut] else 0
    store.write_bytes(whole_store[: data.draw(st.integers(safe, most))])
    journal = Journal(output)
    journal.resume(SETTINGS)
    assert journal.digests == [(inputs, digest) for _, digest, inputs in WINDOWS[:kept]]
    for answers, digest, inputs in WINDOWS[kept:]:
        journal.add(answers, digest, inputs, {"missing": 1}, 1.5)
    journal.close()
    assert (store.read_bytes(), lines.read_bytes()) == (whole_store, whole_lines)


def gone_on_with(output: str) -> Journal:
    """Resumed, and the windows that are left written."""
    journal = Journal(output)
    journal.resume(SETTINGS)
    assert journal.digests == [(inputs, digest) for _, digest, inputs in WINDOWS[: journal.windows]]
    for answers, digest, inputs in WINDOWS[journal.windows :]:
        journal.add(answers, digest, inputs, {"missing": 1}, 1.5)
    journal.close()
    return journal


def lines_of(output: str) -> list[bytes]:
    return Path(f"{output}.journal").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(("line", "kept"), [(2, 0), (3, 1), (4, 2)])
def test_a_damaged_line_is_told_and_the_windows_before_it_are_kept(line: int, kept: int, output: str) -> None:
    written(output)
    before = contents(output)
    lines = lines_of(output)
    lines[line - 1] = lines[line - 1].replace(b"digest", b"digesT")
    Path(f"{output}.journal").write_bytes(b"".join(lines))
    journal = Journal(output)
    journal.resume(SETTINGS)
    assert journal.windows == kept
    assert journal.damage == (
        f"{output}.journal, line {line}: is damaged; going on behind the {kept} windows ({journal.inputs} inputs) that "
        "are whole before it"
    )
    journal.close()
    gone_on_with(output)
    assert contents(output) == before


@pytest.mark.parametrize(("position", "kept"), [(3, 0), (22, 1), (40, 2)])
def test_a_changed_answer_is_told_and_the_windows_before_it_are_kept(position: int, kept: int, output: str) -> None:
    written(output)
    before = contents(output)
    store = Path(f"{output}.partial")
    content = bytearray(store.read_bytes())
    content[position] ^= 1
    store.write_bytes(content)
    journal = gone_on_with(output)
    assert f"{store}: the answers of window {kept} are not those that were written; going on" in str(journal.damage)
    assert contents(output) == before


@pytest.mark.parametrize("change", ["a line twice", "a line less", "two lines in another order", "the settings twice"])
def test_lines_that_are_whole_in_the_wrong_place_are_damage(change: str, output: str) -> None:
    journal = written(output, 1)
    journal.resume(SETTINGS)
    journal.lower_budget(Budget(1, 0, 500))  # which no later line would miss
    journal.close()
    journal = Journal(output)
    journal.resume(SETTINGS)
    journal.add(*WINDOWS[1], {}, 1.0)
    journal.close()
    first, one, budget, two = lines_of(output)
    changed = {
        "a line twice": [first, one, one, budget, two],
        "a line less": [first, one, two],
        "two lines in another order": [first, one, two, budget],
        "the settings twice": [first, one, first, budget, two],
    }[change]
    Path(f"{output}.journal").write_bytes(b"".join(changed))
    again = Journal(output)
    again.resume(SETTINGS)
    assert (again.windows, again.budgets) == (1, [])
    assert "journal, line 3: is damaged" in str(again.damage)


def contents(output: str) -> dict[str, bytes]:
    return {end: Path(output + end).read_bytes() for end in (".partial", ".journal")}


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe\0", b"no checksum\n", b'00000000 {"kind": "settings"}\n', None])
def test_where_nothing_says_what_the_answers_are_of_they_are_left_alone(damage: bytes | None, output: str) -> None:
    written(output)
    path, store = Path(f"{output}.journal"), Path(f"{output}.partial")
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    before = store.read_bytes()
    with pytest.raises(
        DataError, match=r"journal(, line 1)?: is .*nothing else vouches for the answers in .*\.partial"
    ):
        Journal(output).resume(SETTINGS)
    assert store.read_bytes() == before


RECORD = {"kind": "window", "inputs": 2, "digest": "d", "bytes": 3, "answers": "x", "failures": {}, "seconds": 1.0}
WRONG: list[dict[str, object] | list[object] | str | int | None] = [
    *(
        {**RECORD, name: value}
        for name in RECORD
        for value in (None, -1, "x", [], 1.5e300, {"a": "b"})
        if name != value
    ),
    *({key: value for key, value in RECORD.items() if key != name} for name in RECORD),
    *({**RECORD, "more": 1}, {"kind": "budget"}, {"kind": "budget", "window": 0, "chunk": 0, "steps": 0}),
    *([], "window", 5, None),
]


@pytest.mark.parametrize("record", WRONG, ids=json.dumps)
def test_what_is_no_record_is_damage_though_its_checksum_is_right(record: object, output: str) -> None:
    before = written(output, 1)
    text = json.dumps(record).encode()
    with Path(f"{output}.journal").open("ab") as lines:
        lines.write(b"%08x %s\n" % (zlib.crc32(text, before._sum), text))
    journal = Journal(output)
    journal.resume(SETTINGS)
    assert journal.windows == 1
    assert "journal, line 3: is damaged" in str(journal.damage) or "of window 1 are not" in str(journal.damage)


def refusal(output: str) -> str | None:
    """What is said of files that can't be gone on with; None of those that were."""
    try:
        gone_on_with(output)
    except DataError as error:
        return str(error)
    return None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_done_to_the_files_no_answer_is_wrong_or_lost(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any change is told or harmless: the windows that are kept are those that were written."""
    output = str(tmp_path_factory.mktemp("damaged") / "out")
    written(output)
    before = contents(output)
    path = Path(output + data.draw(st.sampled_from([".partial", ".journal"])))
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    path.write_bytes(content[:start] + data.draw(st.binary(max_size=20) | st.just(content[:end])) + content[end:])
    if (said := refusal(output)) is None:
        assert contents(output) == before
    else:  # of the line with the settings
        assert f"{output}.journal" in said
        assert contents(output)[".partial"] == before[".partial"]


# Somebody else writes to the files


@pytest.mark.parametrize("name", [".partial", ".journal"])
@pytest.mark.parametrize("change", ["truncated", "lengthened", "replaced by a copy", "replaced by a link", "deleted"])
@pytest.mark.parametrize("call", ["add", "lower_budget", "finish", "check"])
def test_files_that_another_program_changes_meanwhile_are_noticed(
    name: str, change: str, call: str, output: str
) -> None:
    written(output, 2)
    journal = Journal(output)
    journal.resume(SETTINGS)
    path = Path(output + name)
    if change == "truncated":
        os.truncate(path, 10)
    elif change == "lengthened":
        with path.open("ab") as file:
            file.write(b"x")
    else:
        moved = path.rename(path.with_name("moved"))
        if change == "replaced by a copy":
            shutil.copy(moved, path)
        elif change == "replaced by a link":
            path.symlink_to(shutil.copy(moved, path.with_name("copy")))
    arguments = {"add": (b"more\n", "d4", 1, {}, 0.0), "lower_budget": (Budget(2, 0, 5),)}.get(call, ())
    with pytest.raises(OSError, match=rf"out\.jsonl\{name}: (was moved, deleted or replaced|has \d+ bytes where \d+)"):
        getattr(journal, call)(*arguments)
    journal.close()


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
    path = Path(f"{output}.journal")
    path.write_bytes(path.read_bytes().replace(b'"inputs": 2', b'"inputs": 3', 1))
    with pytest.raises(DataError, match=r"is damaged; so nothing tells whether .* is finished, which is left as it is"):
        Journal(output).resume(SETTINGS)


def test_a_newer_format_is_refused(output: str) -> None:
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
