"""Reading tables of a FlatBuffer without generated code.

A table starts with a signed 32-bit offset back to its vtable; the vtable holds its own size, the table's
size, and for each field a 16-bit offset into the table, 0 for an absent field. Strings and vectors start
with a 32-bit length and are pointed at by unsigned 32-bit offsets relative to the pointer. All numbers are
little-endian.
Source: FlatBuffers internals, https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table at a byte position of a buffer. Fields are numbered from 0 in the order of the schema.

    Reading beyond the buffer, as a cut or broken file makes it, raises ``struct.error`` or ``ValueError``.
    """

    buffer: bytes
    position: int

    @classmethod
    def root(cls, buffer: bytes) -> Table:
        return cls(buffer, _unsigned(buffer, 0))

    def number(self, field: int, code: str, default: int = 0) -> int:
        """An integer; ``code`` is its letter in ``struct``, as "b" for int8 or "I" for uint32."""
        place = self._place(field)
        return default if place is None else int(struct.unpack_from("<" + code, self.buffer, place)[0])

    def table(self, field: int) -> Table | None:
        place = self._place(field)
        return None if place is None else Table(self.buffer, place + _unsigned(self.buffer, place))

    def text(self, field: int) -> str:
        return self.content(field).decode("utf-8", "replace")

    def content(self, field: int) -> bytes:
        """The bytes of a string or of a vector of bytes; empty if absent."""
        start, length = self._vector(field, 1)
        return self.buffer[start : start + length]

    def numbers(self, field: int, code: str) -> tuple[float, ...]:
        """A vector of numbers; ``code`` is the letter of one in ``struct``."""
        start, length = self._vector(field, struct.calcsize("<" + code))
        return struct.unpack_from(f"<{length}{code}", self.buffer, start)

    def integers(self, field: int, code: str = "i") -> tuple[int, ...]:
        return tuple(int(number) for number in self.numbers(field, code))

    def tables(self, field: int) -> list[Table]:
        """A vector of tables."""
        start, length = self._vector(field, 4)
        places = range(start, start + 4 * length, 4)
        return [Table(self.buffer, place + _unsigned(self.buffer, place)) for place in places]

    def _place(self, field: int) -> int | None:
        vtable = self.position - struct.unpack_from("<i", self.buffer, self._checked(self.position))[0]
        size = struct.unpack_from("<H", self.buffer, self._checked(vtable))[0]
        entry = 4 + 2 * field
        if entry + 2 > size:
            return None
        offset = struct.unpack_from("<H", self.buffer, vtable + entry)[0]
        return self.position + int(offset) if offset else None

    def _vector(self, field: int, item_size: int) -> tuple[int, int]:
        """Where the items start, and how many there are."""
        place = self._place(field)
        if place is None:
            return 0, 0
        start = place + _unsigned(self.buffer, place)
        length = _unsigned(self.buffer, start)
        if start + 4 + length * item_size > len(self.buffer):
            raise ValueError("a vector reaches beyond the end of the file")
        return start + 4, length

    def _checked(self, place: int) -> int:
        # A negative place would silently be read from the buffer's end.
        if place < 0:
            raise ValueError("an offset points before the start of the file")
        return place


def _unsigned(buffer: bytes, place: int) -> int:
    return int(struct.unpack_from("<I", buffer, place)[0])
