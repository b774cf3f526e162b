import os
from pathlib import Path

import pytest

from seqpipe.data.formats.safe_xml import local_name, parse_xml
from seqpipe.errors import InputError

PAGE = '<?xml version="1.0" encoding="{}"?><a xmlns="http://example.org/x"><!-- no text --><b c="d">é</b>tail</a>'
LAUGHS = (
    '<!DOCTYPE a [<!ENTITY l0 "ha">'
    + "".join(f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 12))
    + "]><a>&l11;</a>"
)
"""Entities that would grow to 2 x 10^11 characters."""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_file_and_its_bytes_give_the_same_tree(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "page.xml"
    path.write_bytes(PAGE.format(encoding).encode(encoding))
    for source in (path, path.read_bytes()):
        root = parse_xml(source)
        assert root.tag == "{http://example.org/x}a"
        assert [(local_name(child), child.attrib, child.text, child.tail) for child in root] == [
            ("b", {"c": "d"}, "é", "tail")
        ]


def test_a_document_of_many_blocks_is_read_whole() -> None:
    rows = "".join(f"<row>{number} äöü</row>" for number in range(20_000))
    assert [row.text for row in parse_xml(f"<rows>{rows}</rows>".encode())] == [f"{n} äöü" for n in range(20_000)]


@pytest.mark.parametrize(
    "document",
    [
        "<!DOCTYPE a><a/>",
        '<!DOCTYPE a SYSTEM "a.dtd"><a/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x">%x;]><a/>',
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        LAUGHS,
        " " * 200_000 + LAUGHS,
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused_whatever_they_declare(document: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "unsafe.xml"
    path.write_bytes(document.encode(encoding))
    with pytest.raises(InputError, match=r"unsafe\.xml: declares a document type") as caught:
        parse_xml(path)
    assert caught.value.kind == "unsafe"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"no XML", "undecodable"),
        (b"<a><b></a>", "undecodable"),
        (b"<a>", "undecodable"),
        (b"<a/><b/>", "undecodable"),
        (b"<a>&x;</a>", "undecodable"),
        (b"<a>\xff</a>", "undecodable"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "undecodable"),
        (b'<?xml version="1.0" encoding="shift_jis"?><a/>', "undecodable"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "undecodable"),
        (b"<a>" + b"x" * 1000 + b"</a>", "too long"),
    ],
)
def test_what_is_no_document_is_named(content: bytes, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "page.xml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"page\.xml: ") as caught:
        parse_xml(path, largest=1000)
    assert caught.value.kind == kind
    with pytest.raises(InputError, match=f"<{len(content)} bytes>: "):
        parse_xml(content, largest=1000)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("<a/>")
    os.mkfifo(tmp_path / "pipe")  # opened, it would wait for ever
    for path, kind in [
        (tmp_path, "not a file"),
        (tmp_path / "pipe", "not a file"),
        (tmp_path / "none", "missing"),
        (tmp_path / "file" / "none", "missing"),
        (Path("a\0b"), "missing"),
    ]:
        with pytest.raises(InputError) as caught:
            parse_xml(path)
        assert caught.value.kind == kind


def test_namespaces_that_would_grow_with_every_name_are_refused() -> None:
    for start in ('<a xmlns="{}">', '<a><c xmlns:d="{}"/>'):
        assert len(parse_xml(f"{start.format('u' * 200)}<b/></a>".encode())) >= 1
        with pytest.raises(InputError, match=r"bytes>: has a namespace of 201 characters \(u+\.\.\.\); 200") as caught:
            parse_xml(f"{start.format('u' * 201)}<b/></a>".encode())
        assert caught.value.kind == "unsafe"


def test_deep_nesting_is_read() -> None:
    assert sum(1 for _ in parse_xml(b"<a>" * 100_000 + b"</a>" * 100_000).iter()) == 100_000
