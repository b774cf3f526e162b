from pathlib import Path

import pytest

from seqpipe.core.files import draft_file, target_of
from seqpipe.errors import ConfigError


def test_a_link_leads_to_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("there")
    assert target_of(tmp_path / "link") == tmp_path / "there"
    with draft_file(tmp_path / "link") as file:
        file.write(b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("target", "said"), [("gone/x", "there is no such folder; make it"), ("link", "leads nowhere")]
)
def test_a_link_that_leads_nowhere_is_named(target: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(ConfigError, match=said) as caught, draft_file(tmp_path / "link"):
        pass
    assert f"{tmp_path}/link" in str(caught.value)
