from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.fields import (
    FieldError,
    as_flag,
    as_id,
    as_int64,
    as_number,
    as_size,
    clean_class_name,
    clean_name,
    is_text,
    quote,
)

anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(anything)
def test_any_value_is_a_number_or_an_error(value: object) -> None:
    message = ""
    try:
        assert isinstance(as_number("x", value), float)
    except FieldError as error:
        message = str(error)
    assert message == "" or message.startswith("x is ")


@given(anything)
def test_any_value_has_a_size_flag_and_id_or_none(value: object) -> None:
    size = as_size(value)
    assert size is None or 0 < size < 2**63
    assert as_flag(value) in (None, True, False)
    identity = as_id(value)
    assert identity is None or identity == clean_name(identity) != ""


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5.0), (5.5, 5.5), ("5", 5.0), (" 5.5 ", 5.5), ("1e2", 100.0), (10**400, math.inf), ("-inf", -math.inf)],
)
def test_numbers(value: object, number: float) -> None:
    assert as_number("x", value) == number


@pytest.mark.parametrize("value", ["", "a", "1_0", "12,5", "(88, 100)", "0x10", None, True, [1], {}])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(FieldError, match="no number"):
        as_number("x", value)


@pytest.mark.parametrize(
    ("value", "size"),
    [(640, 640), ("640", 640), (640.0, 640), (0, None), (-1, None), (0.5, None), (None, None), (10**30, None)],
)
def test_sizes(value: object, size: int | None) -> None:
    assert as_size(value) == size


@pytest.mark.parametrize(
    ("value", "flag"),
    [(0, False), (1, True), ("1", True), (" True ", True), ("Unspecified", None), (2, None), (None, None), (1.0, True)],
)
def test_flags(value: object, flag: bool | None) -> None:
    assert as_flag(value) is flag


def test_ids_are_one_in_all_their_forms() -> None:
    assert as_id(12) == as_id(12.0) == as_id("12") == as_id(" 12 ") == "12"
    assert [as_id(value) for value in (None, True, 1.5, math.nan, math.inf, "", " ", [])] == [None] * 8


@given(st.integers())
def test_decimal_ids(number: int) -> None:
    assert as_int64(str(number)) == (number if abs(number) < 2**63 else None)


@pytest.mark.parametrize("text", ["", "-", "--5", "+5", "5.0", " 5", "²", "٣", "1_0", "1" * 5000, str(2**63)])
def test_ids_that_are_no_int64(text: str) -> None:
    assert as_int64(text) is None


@given(st.text())
def test_cleaning_a_name_twice_changes_nothing(text: str) -> None:
    name = clean_class_name(text)
    assert clean_class_name(name) == name
    assert name == unicodedata.normalize("NFC", name)
    assert "\n" not in name


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\0", "\ud800", "a\x9b"])
def test_control_characters_are_no_text(name: str) -> None:
    assert not is_text(name)


@pytest.mark.parametrize("name", ["고양이", "cat", "🐈‍⬛", "नमस्ते", "a b", ""])
def test_all_scripts_are_text(name: str) -> None:
    assert is_text(name)


@given(anything)
def test_quotes_are_short_and_printable(value: object) -> None:
    text = quote(value)
    assert len(text) <= 80
    assert text.isprintable()
