from dataclasses import dataclass, field
from typing import Any

import pytest

from seqpipe.core.answer import Answer, Mark, is_finite


@dataclass(frozen=True)
class Found(Answer):
    id: str = "a"
    confidence: float = 0.5
    parts: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_found_wherever_it_stands(number: float) -> None:
    assert is_finite(Found(parts=(Mark("x", 0.0, 1.0, 0.5), 3, None, True, "nan"), named={"a": [1.0]}))
    assert not is_finite(Found(confidence=number))
    assert not is_finite(Found(parts=(Mark("x", 0.0, 1.0, number),)))
    assert not is_finite(Found(parts=(("x", (0.5, number)),)))
    assert not is_finite(Found(named={"a": [1.0, number]}))
