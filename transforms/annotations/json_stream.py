"""Streams huge JSON texts – objects, arrays, lines – element by element, in memory that does not grow with the file.

The standard library's C scanner decodes out of a sliding window of text: all objects of an array that lie whole in the
window at once, anything else one value at a time (``json.JSONDecoder.raw_decode``); a value cut by the window's end is
decoded again once more text has come. So the dialect is Python's own: NaN and Infinity, which other writers leave in
files, are read and can be accounted for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TextIO, TypeVar

WINDOW_CHARS = 1 << 20
MAX_VALUE_CHARS = 256 << 20
# A scanner error this far before the window's end is no cut value but a true mistake in the file.
_CUT_SLACK_CHARS = 64 << 10
_NUMBER_TAIL_CHARS = 2
_SEPARATOR = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")
_BETWEEN_OBJECTS = re.compile(r"\}[ \t\n\r]*,[ \t\n\r]*(?=\{)")
_ARRAY_END = re.compile(r"\}[ \t\n\r]*\]")
# Between a key and its value, and inside of strings perhaps: there are never more keys in a text than these.
_KEY_END = re.compile(r'"[ \t\n\r]*:')
_WHITESPACE = " \t\n\r"

T = TypeVar("T")

DUPLICATE_KEY = "\0duplicate key"
"""Key under which an object that repeats a key records which one; a NUL cannot come from a sane annotation."""


class JsonError(ValueError):
    """The text is not the JSON that was expected; says what and near which character."""


def _object_from_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        value[DUPLICATE_KEY] = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return value


_decoder = json.JSONDecoder(object_pairs_hook=_object_from_pairs)


def decode_json(text: str) -> Any:
    """Decodes a whole small text; objects that repeat a key hold it under ``DUPLICATE_KEY``.

    Raises:
      JsonError: no JSON, nested too deeply, or a number of thousands of digits.
    """
    try:
        value = json.loads(text)
        if len(_KEY_END.findall(text)) != _number_of_keys(value):  # a key may stand twice
            value = _decoder.decode(text)
        return value
    except RecursionError:
        raise JsonError("nested too deeply") from None
    except ValueError as error:
        raise JsonError(str(error)) from None


def _whole_objects(text: str) -> list[Any] | None:
    """The objects of a text, separated by commas; None if it is anything else."""
    text = f"[{text}]"
    try:
        objects: list[Any] = json.loads(text)
        if _may_repeat_a_key(text, objects):
            objects = json.loads(text, object_pairs_hook=_object_from_pairs)
    except (ValueError, RecursionError):
        return None
    return objects


def object_texts(text: str) -> list[str]:
    """The texts of objects, separated by commas, in which no other object or string is."""
    cuts = [match.span() for match in _BETWEEN_OBJECTS.finditer(text)]
    starts, ends = [0, *(end for _, end in cuts)], [*(start + 1 for start, _ in cuts), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _may_repeat_a_key(text: str, objects: list[Any]) -> bool:
    found = sum([len(item) for item in objects if type(item) is dict])
    if text.count(":") == found:  # nearly always: none is nested, and no string holds a colon
        return False
    keys = len(_KEY_END.findall(text))
    return keys != found and keys != _number_of_keys(objects)


def _number_of_keys(value: Any) -> int:
    """Keys of all objects in a value; those in lists that begin with something else are left out."""
    if isinstance(value, dict):
        return len(value) + sum(map(_number_of_keys, value.values()))
    if isinstance(value, list) and value and isinstance(value[0], dict | list):
        return sum(map(_number_of_keys, value))
    return 0


class _Window:
    """The text around the reading position: ``text[start:]`` is not yet read."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._dropped = 0
        self._at_end = False
        self.text = ""
        self.start = 0

    @property
    def place(self) -> int:
        return self._dropped + self.start

    @property
    def end(self) -> int:
        return self._dropped + len(self.text)

    def _grow(self) -> None:
        """Drops what is read and appends as much as is left, at least one window."""
        self._dropped += self.start
        rest = self.text[self.start :]
        if len(rest) > MAX_VALUE_CHARS:
            raise JsonError(f"one value near character {self.place} is longer than {MAX_VALUE_CHARS} characters")
        more = self._stream.read(max(WINDOW_CHARS, len(rest)))
        self._at_end = not more
        self.text, self.start = rest + more, 0

    def peek(self) -> str:
        """The next character that is not white space, or "" at the end."""
        while True:
            while self.start < len(self.text):
                char = self.text[self.start]
                if char not in _WHITESPACE:
                    return char
                self.start += 1
            if self._at_end:
                return ""
            self._grow()

    def take(self, expected: str) -> None:
        found = self.peek()
        if not found or found not in expected:
            raise JsonError(
                f"expected {' or '.join(expected)} at character {self.place}, found {found or 'the end of the file'}"
            )
        self.start += 1

    def objects(self, read: Callable[[str], T | None]) -> list[Any] | T | None:
        """Decodes at once the objects here that lie whole in the window, but for the last; None where that is in vain.

        ``read`` has the first say in what is made of them. The text up to a "}" between two objects, closed by a
        bracket, is JSON if and only if that "}" ends an element of the array that begins here, and no inner object or
        string. Where it is not, the array may end before.
        """
        if self.peek() != "{":
            return None
        for end in self._likely_ends():
            cuts = list(_BETWEEN_OBJECTS.finditer(self.text, max(self.start, end - _CUT_SLACK_CHARS), end))
            if not cuts:
                continue
            text = self.text[self.start : cuts[-1].start() + 1]
            objects = found if (found := read(text)) is not None else _whole_objects(text)
            if objects is not None:
                self.start = cuts[-1].end()
                return objects
        return None

    def _likely_ends(self) -> Iterator[int]:
        yield len(self.text)
        if array_end := _ARRAY_END.search(self.text, self.start):
            yield array_end.start()

    def ends_array(self) -> bool:
        """Reads what follows an element: "]" ends the array, "," does not."""
        separator = _SEPARATOR.match(self.text, self.start)
        if separator is not None:  # nearly always: else the window ends here, or it is a mistake
            self.start = separator.end()
            return separator[1] == "]"
        self.take(",]")
        return self.text[self.start - 1] == "]"

    def value(self) -> Any:
        """Decodes the next whole value."""
        self.peek()
        while True:
            try:
                value, end = _decoder.raw_decode(self.text, self.start)
            except json.JSONDecodeError as error:
                is_cut = error.pos > len(self.text) - _CUT_SLACK_CHARS or error.msg.startswith("Unterminated string")
                if self._at_end or not is_cut:
                    raise JsonError(f"{error.msg} near character {self._dropped + error.pos}") from None
            except RecursionError:
                raise JsonError(f"nested too deeply near character {self.place}") from None
            except ValueError as error:  # an integer of thousands of digits
                raise JsonError(f"{error} near character {self.place}") from None
            else:
                # A number may go on beyond the window, also after "1." and "1e+", which end it for the scanner.
                is_whole = end + _NUMBER_TAIL_CHARS < len(self.text) or self.text[end - 1] in '}]"'
                if is_whole or self._at_end:
                    self.start = end
                    return value
            self._grow()


def stream_members(stream: TextIO, objects: Collection[str] = ()) -> Iterator[tuple[str, Any]]:
    """Yields ``(key, element)`` for each element of each top-level array, ``(key, value)`` for any other member.

    Of the members named in ``objects`` each member is an element of its own, if they are objects: ``(key, (inner key,
    value))``. Objects that repeat a key hold the repeated key under ``DUPLICATE_KEY``. A key of the streamed objects
    themselves that is repeated is simply met twice.

    Raises:
      JsonError: not an object, malformed, cut short, or followed by something else.
    """
    window = _Window(stream)
    for key in _stream_keys(window):
        if window.peek() == "[":
            for batch in _stream_array(window):
                for element in batch:
                    yield key, element
        elif key in objects and window.peek() == "{":
            for inner in _stream_keys(window):
                yield key, (inner, window.value())
        else:
            yield key, window.value()
    _expect_end(window)


def stream_batches(
    stream: TextIO, readers: Mapping[str, Callable[[str], T | None]]
) -> Iterator[tuple[str, list[Any] | T]]:
    """Yields ``(key, elements)`` for as many elements of a top-level array as are decoded at once.

    A member that is no array is a batch of its one value; in all else as ``stream_members``.

    Args:
      stream: of the text.
      readers: for the keys of arrays, what makes something else than a list of texts of objects, separated by commas.
        It returns None for what it cannot read, and for all that is not JSON.
    """
    window = _Window(stream)
    for key in _stream_keys(window):
        if window.peek() == "[":
            for batch in _stream_array(window, readers.get(key, _no_reader)):
                yield key, batch
        else:
            yield key, [window.value()]
    _expect_end(window)


def stream_array(stream: TextIO) -> Iterator[Any]:
    """Yields the elements of one top-level array; as ``stream_members`` in all else."""
    window = _Window(stream)
    for batch in _stream_array(window):
        yield from batch
    _expect_end(window)


def stream_lines(stream: TextIO) -> Iterator[tuple[int, Any | JsonError]]:
    """Yields ``(line number from 1, value)`` for each line that is not blank; a line that is no JSON is its error.

    Raises:
      JsonError: a line is too long to be read.
    """
    number = 0
    while line := stream.readline(MAX_VALUE_CHARS + 1):
        number += 1
        if len(line) > MAX_VALUE_CHARS:
            raise JsonError(f"line {number} is longer than {MAX_VALUE_CHARS} characters")
        if line.isspace():
            continue
        try:
            yield number, decode_json(line)
        except JsonError as error:
            yield number, error


def _stream_keys(window: _Window) -> Iterator[str]:
    """Yields the keys of the next object; whoever asks for the next one has read the value."""
    window.take("{")
    if window.peek() == "}":
        window.take("}")
        return
    while True:
        key = window.value()
        if not isinstance(key, str):
            raise JsonError(f"expected a key at character {window.place}, found {key!r:.40}")
        window.take(":")
        yield key
        if window.peek() == "}":
            window.take("}")
            return
        window.take(",")


def _expect_end(window: _Window) -> None:
    if found := window.peek():
        raise JsonError(f"expected the end of the file at character {window.place}, found {found}")


def _no_reader(text: str) -> None:
    del text


def _stream_array(window: _Window, read: Callable[[str], T | None] = _no_reader) -> Iterator[list[Any] | T]:
    window.take("[")
    if window.peek() == "]":
        window.take("]")
        return
    window_end = -1
    while True:
        if window.end != window_end:  # once a window: what is left of it then, is one object
            if (objects := window.objects(read)) is not None:
                yield objects
            window_end = window.end
        yield [window.value()]
        if window.ends_array():
            return
