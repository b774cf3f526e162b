import csv
import json
import re
import unicodedata
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.core.lines import MAX_LINE_BYTES
from seqpipe.data.formats.manifest import count_manifest, read_manifest
from seqpipe.errors import DataError, InputError

ROWS = [
    {"path": "a.wav", "text": 'she said "go', "speaker": "f1"},
    {"path": "b b.wav", "text": "", "speaker": "ü"},
    {"path": "c.wav", "text": "one, two;\u2028three \x0bfour\x85 five\x1c", "speaker": "'"},
    {"path": "d.wav", "text": '"quoted"', "speaker": '"'},
]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """The rows as a manifest of the kind that the name says."""
    columns = list(rows[0])
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".tsv":
        lines = ["\t".join(columns), *("\t".join(row.values()) for row in rows)]
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a manifest; their numbers must count from 1."""
    numbered = list(read_manifest(path, path.suffix[1:]))
    assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
    return [row for _, row in numbered]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_every_kind_gives_the_same_rows(kind: str, tmp_path: Path) -> None:
    assert read(write(tmp_path / f"rows.{kind}", ROWS)) == ROWS


# What a field may hold in each kind: TSV has no way to write a tab or a line break, CSV quotes them.
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\r\n"), max_size=12)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=12)


@given(texts=st.lists(PLAIN, min_size=1, max_size=6))
def test_any_text_survives_tsv(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = [{"path": f"{index}.wav", "text": text} for index, text in enumerate(texts)]
    assert read(write(tmp_path_factory.mktemp("tsv") / "rows.tsv", rows)) == rows


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@given(texts=st.lists(ANY, min_size=1, max_size=6))
def test_any_text_survives_the_quoting_kinds(
    kind: str, texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [{"path": f"{index}.wav", "text": text} for index, text in enumerate(texts)]
    assert read(write(tmp_path_factory.mktemp(kind) / f"rows.{kind}", rows)) == rows


def test_a_lone_quotation_mark_in_tsv_swallows_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv"
    path.write_text('path\ttext\na.wav\t"go\nb.wav\tstop\nc.wav\tsaid "\nd.wav\tthe end\n')
    assert [row["text"] for row in read(path)] == ['"go', "stop", 'said "', "the end"]
    with path.open(newline="") as file:  # what this guards against: Python's own defaults lose two of these rows
        assert len(list(csv.DictReader(file, delimiter="\t"))) < 4


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no BOM", "BOM"])
def test_line_endings_and_byte_order_marks_change_nothing(
    kind: str, ending: bytes, mark: bytes, tmp_path: Path
) -> None:
    path = write(tmp_path / f"rows.{kind}", ROWS[:2])
    path.write_bytes(mark + path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", ending))
    assert read(path) == ROWS[:2]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_missing_newline_at_the_end_and_blank_lines_change_nothing(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"rows.{kind}", ROWS[:2])
    path.write_bytes(path.read_bytes().rstrip(b"\r\n"))
    assert read(path) == ROWS[:2]
    path.write_bytes(path.read_bytes() + b"\n\n\n")
    assert read(path) == ROWS[:2]


@pytest.mark.parametrize(("kind", "separator"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("extra", [1, -1])
def test_a_wrong_number_of_fields_is_an_error_that_names_file_and_row(
    kind: str, separator: str, extra: int, tmp_path: Path
) -> None:
    path = tmp_path / f"rows.{kind}"
    lines = [["path", "speaker", "text"], ["a.wav", "f", "one"], ["b.wav", "f", "two"], ["c.wav", "f", "three"]]
    lines[2] = lines[2] + ["more"] if extra > 0 else lines[2][:-1]
    path.write_text("\n".join(separator.join(line) for line in lines))
    rows = read_manifest(path, kind)
    assert next(rows)[1]["text"] == "one"  # lazily: what comes before the bad row has been handed out
    with pytest.raises(DataError, match=rf"rows\.{kind}, row 2: has {3 + extra} fields, the header 3"):
        next(rows)


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_a_header_without_sense_is_an_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    path.write_text("path,text,path\n".replace(",", "," if kind == "csv" else "\t"))
    with pytest.raises(DataError, match=r"twice in the header: path, text, path"):
        read(path)
    path.write_text("")
    with pytest.raises(DataError, match=r"is empty"):
        read(path)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_bytes_that_are_no_utf8_are_an_error_that_names_the_file(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"rows.{kind}", ROWS)
    path.write_bytes(path.read_bytes().replace("ü".encode(), "ü".encode("latin-1")))
    with pytest.raises(DataError, match=rf"rows\.{kind}, (row|line) 2: is not UTF-8 text \(byte 0xfc\)"):
        read(path)


@pytest.mark.parametrize("bad", ['{"path": "b.wav"', "[1, 2]", "5", "{path: b}", "9" * 5000])
def test_a_line_that_is_no_json_object_is_named(bad: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"path": "a.wav"}}\n\n{bad}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl, line 3: "):
        list(read_manifest(path, "jsonl"))


def test_an_open_quotation_in_csv_is_an_error_not_a_lost_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('path,text\na.wav,"go\nb.wav,stop\n')
    with pytest.raises(DataError, match=r"rows\.csv, near line \d+: is not CSV"):
        read(path)


def test_a_line_break_inside_quotes_belongs_to_the_field_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b'path,text\r\na.wav,"one\r\ntwo"\r\nb.wav,three\r\n')
    assert [row["text"] for row in read(path)] == ["one\r\ntwo", "three"]


def test_parquet_keeps_the_types_of_its_columns_and_counts_over_batches(tmp_path: Path) -> None:
    rows = [{"path": f"{index}.wav", "start": index / 2, "text": str(index)} for index in range(2500)]
    assert read(write(tmp_path / "rows.parquet", rows)) == rows


def test_a_broken_parquet_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", [{"path": unicodedata.name(chr(65 + index))} for index in range(26)] * 50)
    whole = path.read_bytes()
    for broken in (b"", b"no parquet", whole[: len(whole) // 2], b"\xff" * 200 + whole[200:]):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=r"rows\.parquet"):
            read(path)


# Rows that can't be told, where the others are wanted all the same

BROKEN = {
    "tsv": (b"path\ttext\n", [b"a.wav\tone\n", b"b.wav\n", b"c.wav\tgr\xfcn\n", b"\n", b"d.wav\tfour"]),
    "csv": (b"path,text\n", [b'a.wav,"o\nne"\n', b'b.wav,"two\n', b'c.wav,"gr\xfcn"\n', b"\n", b"d.wav,four\n"]),
    "jsonl": (
        b"",
        [b'{"path": "a.wav"}\n', b'{"path"\n', b'{"path": "\xfc.wav"}\n', b" \n", b'{"path": "d.wav"}\n'],
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_row_costs_itself_alone_where_rows_need_not_all_be_told(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    header, lines = BROKEN[kind]
    path.write_bytes(header + b"".join(lines))
    rows = [columns for _, columns in read_manifest(path, kind, strict=False)]
    assert [isinstance(row, InputError) for row in rows] == [False, True, True, False]
    assert [row["path"] for row in rows if isinstance(row, dict)] == ["a.wav", "d.wav"]
    assert all(
        row.kind == "bad value" and str(row).startswith(f"{path}, ") for row in rows if not isinstance(row, dict)
    )
    assert count_manifest(path, kind) == 4


@pytest.mark.parametrize("count", [3_000, 250_000])  # fewer and more characters than a row may have
def test_an_open_quotation_in_csv_swallows_nothing_where_rows_need_not_all_be_told(count: int, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lines = [f"{number}.wav,some more text" for number in range(count)]
    lines[7] = '7.wav,"text'
    path.write_text("path,text\n" + "\n".join(lines))
    rows = list(read_manifest(path, "csv", strict=False))
    assert [number for number, _ in rows] == list(range(1, count + 1))
    assert [place for place, (_, columns) in enumerate(rows) if isinstance(columns, InputError)] == [7]
    assert "near line 9: is not CSV" in str(rows[7][1])


@given(content=st.text('a",\t\r\n{}[]:0é\udcff', max_size=60))
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_any_content_is_read_to_its_end_and_counted(
    kind: str, content: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp(kind) / f"rows.{kind}"
    header = {"csv": "a,b\n", "tsv": "a\tb\n", "jsonl": ""}[kind]
    path.write_bytes((header + content).encode(errors="surrogateescape"))
    rows = list(read_manifest(path, kind, strict=False))
    assert count_manifest(path, kind) == len(rows)
    if all(isinstance(columns, dict) for _, columns in rows):
        assert list(read_manifest(path, kind)) == rows
    else:
        with pytest.raises(DataError, match=f"rows.{kind}"):
            read(path)


def test_a_broken_group_of_a_parquet_file_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pyarrow.table({"path": [f"{number}.wav" for number in range(300)]})
    pyarrow.parquet.write_table(table, path, row_group_size=100, use_dictionary=False, compression="gzip")
    with pyarrow.parquet.ParquetFile(path) as file:
        start = file.metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 200] = b"\xff" * 200
    path.write_bytes(content)
    rows = list(read_manifest(path, "parquet", strict=False))
    assert [number for number, _ in rows] == [*range(1, 102), *range(201, 301)]
    assert [columns["path"] for _, columns in rows if isinstance(columns, dict)][100] == "200.wav"
    assert "rows 101 to 200: can't be decoded" in str(rows[100][1])
    with pytest.raises(DataError, match="rows 101 to 200"):
        read(path)


def test_a_text_in_parquet_that_is_no_utf8_costs_its_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    texts = pyarrow.array([b"one", b"gr\xfcn", b"three"], pyarrow.binary())
    wrong = pyarrow.StringArray.from_buffers(3, texts.buffers()[1], texts.buffers()[2])
    pyarrow.parquet.write_table(pyarrow.table({"text": wrong}), path)
    rows = list(read_manifest(path, "parquet", strict=False))
    assert [columns for _, columns in rows if isinstance(columns, dict)] == [{"text": "one"}, {"text": "three"}]
    assert str(rows[1][1]) == f"{path}, row 2: is not UTF-8 text (byte 0xfc)"
    assert count_manifest(path, "parquet") == 3


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_a_file_without_a_readable_header_is_an_error_all_the_same(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    path.write_bytes(b"path,gr\xfcn\tmore\n1\n")
    with pytest.raises(DataError, match=r"rows\..*(is not UTF-8 text|is not a Parquet file)"):
        next(read_manifest(path, kind, strict=False))


LONG = "a" * (MAX_LINE_BYTES + 1)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("last", [True, False])
def test_a_line_that_is_too_long_costs_itself_alone(kind: str, last: bool, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    rows = [write(tmp_path / f"some.{kind}", [{"path": "a", "text": "b"}]).read_text()]
    rows += [LONG + "\n"] if last else [LONG + "\n", rows[0].splitlines()[-1] + "\n"]
    path.write_text("".join(rows))
    found = list(read_manifest(path, kind, strict=False))
    assert count_manifest(path, kind) == len(found) == len(rows)
    assert [isinstance(columns, InputError) for _, columns in found] == [False, True, False][: len(rows)]
    problem = found[1][1]
    assert isinstance(problem, InputError)
    assert problem.kind == "too long"
    assert re.search(r"rows\.\w+, (near )?line \d: has more than 4,194,304 bytes", str(problem))
    with pytest.raises(DataError, match="more than 4,194,304 bytes"):
        read(path)


def test_a_long_line_within_an_open_quotation_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f'path,text\na,"b\n{LONG}\nc,d\n')
    found = [columns for _, columns in read_manifest(path, "csv", strict=False)]
    assert count_manifest(path, "csv") == 3
    assert [str(each).partition(": ")[2][:20] for each in found[:2]] == ["is not CSV (over 4,1", "has more than 4,194,"]
    assert found[2] == {"path": "c", "text": "d"}


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv", "parquet"])
def test_a_long_cell_is_read_whole_whatever_the_kind(kind: str, tmp_path: Path) -> None:
    strokes = json.dumps([[[x, x % 7] for x in range(30_000)]])  # 400,000 characters
    rows = [{"id": "a", "strokes": strokes}, {"id": "b", "strokes": "wörd, " * 100_000}, {"id": "c", "strokes": "[]"}]
    assert read(write(tmp_path / f"rows.{kind}", rows)) == rows


@pytest.mark.parametrize("breaks", [0, 1000])
def test_a_row_of_csv_has_at_most_as_many_characters_as_a_line(breaks: int, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    end = ',"' + "x" * (MAX_LINE_BYTES - breaks - 4) + "\n" * breaks + '"'
    path.write_text(f"path,text\na{end}\nb,d\n", newline="")
    first, second = (columns for _, columns in read_manifest(path, "csv", strict=False))
    assert (len(first["text"]), second) == (MAX_LINE_BYTES - 4, {"path": "b", "text": "d"})
    path.write_text(f"path,text\nabcd{end}\nb,d\n", newline="")
    first, *_, last = (columns for _, columns in read_manifest(path, "csv", strict=False))
    assert isinstance(first, InputError)
    assert "4,194,304" in str(first)
    assert last == {"path": "b", "text": "d"}


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_a_header_that_is_too_long_is_an_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    path.write_text(LONG + "\nb\n")
    with pytest.raises(DataError, match="line 1: has more than 4,194,304 bytes"):
        list(read_manifest(path, kind, strict=False))
