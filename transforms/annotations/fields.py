"""Reading single fields of annotations: names, numbers, flags; and how a bad value is quoted in the ledger."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_QUOTE_CHARS = 80
MAX_INT64 = 2**63 - 1
_SPLITS = {"training": "train", "validation": "val", "valid": "val", "testing": "test", "default": "", "unassigned": ""}
_DECIMAL = re.compile(r"-?[0-9]{1,19}")


class FieldError(ValueError):
    """A field is not what it must be; the message holds the field and the value."""


def clean_name(text: str) -> str:
    """Strips a name and composes it (NFC), so that what two systems typed stays one name."""
    return unicodedata.normalize("NFC", text).strip()


def clean_class_name(text: str) -> str:
    """As ``clean_name``, with inner white space as single spaces: labels files hold one class a line."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def is_text(name: str) -> bool:
    """Whether a name is fit for label files and screens: no control characters and no lone surrogates."""
    return not any(unicodedata.category(char) in ("Cc", "Cs") for char in name)


def quote(value: Any) -> str:
    """A short printable form of a bad value: control characters escaped, at most 80 characters."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= _QUOTE_CHARS else text[: _QUOTE_CHARS - 1] + "…"


def as_number(field: str, value: Any) -> float:
    """A coordinate or size as float; NaN and infinity pass, they are the box check's to judge.

    Raises:
      FieldError: not an int, a float, or a string that spells one with a decimal point.
    """
    if type(value) is float:  # as most are
        return value
    if type(value) is int and -MAX_INT64 <= value <= MAX_INT64:
        return float(value)
    if isinstance(value, str) and "_" not in value:
        try:
            return float(value)
        except ValueError:
            pass
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return float("inf")
    raise FieldError(f"{field} is {quote(value)}, which is no number")


def as_size(value: Any) -> int | None:
    """An image's claimed width or height in pixels; None where it is missing, zero, or no whole number."""
    try:
        number = as_number("size", value)
    except FieldError:
        return None
    return int(number) if 0 < number <= MAX_INT64 and number == int(number) else None


def as_int64(text: str) -> int | None:
    """The number that an id spells in plain decimal digits, if an int64 holds it."""
    number = int(text) if _DECIMAL.fullmatch(text) else None
    return number if number is not None and abs(number) <= MAX_INT64 else None


def as_flag(value: Any) -> bool | None:
    """A 0/1 flag written as number, bool or text; None where it is missing or unreadable ("Unspecified")."""
    if type(value) is int:  # nearly always
        return value == 1 if value in (0, 1) else None
    if isinstance(value, str):
        return {"0": False, "1": True, "false": False, "true": True}.get(value.strip().lower())
    if isinstance(value, bool | float) and value in (0, 1):
        return bool(value)
    return None


def as_id(value: Any) -> str | None:
    """An id as text: 12, 12.0 and "12" are one id; None where there is none."""
    if type(value) is int:  # nearly always
        return str(value)
    if isinstance(value, str):
        return clean_name(value) or None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def as_split(value: Any) -> str:
    """The split that a source names, in Boxmill's word for it where it has one ("Validation" is "val"); "" for none."""
    name = clean_name(value).lower() if isinstance(value, str) else ""
    return _SPLITS.get(name, name if is_text(name) else "")
