import datetime
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.core.cell import cell_text, plain, same_cells

DAY = datetime.date(2024, 2, 29)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([17, 17.0, np.int8(17), np.float32(17), Decimal(17), Decimal("17.00"), "17"], "17"),
        ([1.5, np.float64(1.5), Decimal("1.50"), "1.5"], "1.5"),
        ([0, 0.0, -0.0, Decimal("-0.0")], "0"),
        ([100, 100.0, Decimal("1E+2")], "100"),
        ([True, np.bool_(True)], "True"),
        ([Decimal("12345678901234567890123456789012345678.00")], "12345678901234567890123456789012345678"),
        (["1.0", np.str_("1.0")], "1.0"),
        (["017"], "017"),
        ([DAY], "2024-02-29"),
        ([math.inf], "inf"),
        ([None, "", math.nan, np.float32("nan"), Decimal("NaN")], None),
    ],
)
def test_a_cell_is_called_the_same_whatever_type_its_table_gave_it(values: list[Any], text: str | None) -> None:
    assert [cell_text(value) for value in values] == [text] * len(values)
    assert all(same_cells(values[0], value) for value in values)
    assert not same_cells(values[0], "another")


@given(st.integers(-(2**53), 2**53))
def test_whole_numbers_are_the_same_as_integers_floats_and_decimals(number: int) -> None:
    assert cell_text(number) == cell_text(float(number)) == cell_text(Decimal(number)) == str(number)


def test_lists_are_compared_item_by_item() -> None:
    assert same_cells([1, None], (1.0, math.nan))
    assert same_cells(np.array([1.0, 2.0]), ["1", "2"])
    assert not same_cells([1], [1, 2])
    assert not same_cells([1], 1)
    assert plain(np.array([[1, 2]])) == [[1, 2]]
