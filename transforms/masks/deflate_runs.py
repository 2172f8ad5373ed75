"""Deflate of a sequence of bytes 0 and 1 from the lengths of its runs, never from the bytes (RFC 1951).

A run is its first byte as a literal and the rest as copies of the byte before: as many of the longest length, 258, as
fit, then the remainder. The Huffman codes are fixed and fit object masks. The code of the longest copy, and that of
its distance, is one 0 bit: long runs are bits left as they are in a buffer of zeros, and all the work is a few array
operations over the runs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

_END, _FIRST_LENGTH, _LONGEST = 256, 257, 285  # symbols
_LONGEST_COPY, _SHORTEST_COPY = 258, 3  # bytes
# Bits of the codes of literals and lengths: nearly the optimum over some hundred outlines in pictures of many sizes.
_CODE_BITS = {0: 3, 1: 3, _END: 9, **dict.fromkeys(range(257, 264), 8), 264: 9}
_CODE_BITS |= {**dict.fromkeys(range(265, 277), 7), **dict.fromkeys(range(277, _LONGEST), 6), _LONGEST: 1}
# A block states the bits of its codes in codes of their own; of that alphabet 18 is a run of 11 to 138 zeros.
_ZERO_RUN = 18
_STATED_BITS = {1: 3, 3: 3, 6: 3, 7: 2, 8: 3, 9: 3, _ZERO_RUN: 3}
_STATED_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_DISTANCE_ONE = "0"
_WORD_BITS, _WORD_SHIFT = 32, 5


class _Bits:
    """Bits in the order of deflate: the first is the lowest of the first byte."""

    def __init__(self) -> None:
        self.value = self.count = 0

    def add(self, value: int, count: int) -> None:
        """Adds a number, its lowest bit first."""
        self.value |= value << self.count
        self.count += count

    def add_code(self, code: str) -> None:
        """Adds a Huffman code, its highest bit first."""
        self.add(int(code[::-1], 2), len(code))


def _huffman_codes(code_bits: dict[int, int]) -> dict[int, str]:
    """The codes of symbols with these numbers of bits (RFC 1951, 3.2.2)."""
    codes, code, last = {}, 0, 0
    for symbol, bits in sorted(code_bits.items(), key=lambda item: (item[1], item[0])):
        code <<= bits - last
        codes[symbol] = f"{code:0{bits}b}"
        code, last = code + 1, bits
    return codes


_CODES = _huffman_codes(_CODE_BITS)


def _block_head() -> _Bits:
    """What comes before the data (RFC 1951, 3.2.7), and the literal 0 with which each sequence begins."""
    stated = _huffman_codes(_STATED_BITS)
    head = _Bits()
    head.add(1, 1)  # the last block
    head.add(2, 2)  # it states its codes
    head.add(_LONGEST + 1 - 257, 5)  # literals and lengths
    head.add(1 - 1, 5)  # one distance
    head.add(len(_STATED_ORDER) - 4, 4)
    for symbol in _STATED_ORDER:
        head.add(_STATED_BITS.get(symbol, 0), 3)
    for literal in (0, 1):
        head.add_code(stated[_CODE_BITS[literal]])
    for zeros in (138, _END - 2 - 138):
        head.add_code(stated[_ZERO_RUN])
        head.add(zeros - 11, 7)
    for symbol in range(_END, _LONGEST + 1):
        head.add_code(stated[_CODE_BITS[symbol]])
    head.add_code(stated[len(_DISTANCE_ONE)])
    head.add_code(_CODES[0])
    return head


def _add_copy(bits: _Bits, length: int) -> None:
    """Adds a copy of 3 to 257 bytes from a distance of one (RFC 1951, 3.2.5)."""
    offset = length - _SHORTEST_COPY
    extra = max(0, offset.bit_length() - 3)
    symbol = _FIRST_LENGTH + 4 * extra + (offset >> extra)
    bits.add_code(_CODES[symbol])
    bits.add(offset & ((1 << extra) - 1), extra)
    bits.add_code(_DISTANCE_ONE)


def _run_ends() -> tuple[Integers, Integers]:
    """What ends a run after its longest copies: values and numbers of bits, by index (kind, bytes left).

    Kind 0 and 1 are runs of that byte before a run of the other, whose literal is included; 2 and 3 are the same
    before the end of the block.
    """
    values, counts = [], []
    for kind in range(4):
        byte = kind & 1
        for left in range(_LONGEST_COPY):
            bits = _Bits()
            if left < _SHORTEST_COPY:
                for _ in range(left):
                    bits.add_code(_CODES[byte])
            else:
                _add_copy(bits, left)
            bits.add_code(_CODES[1 - byte] if kind < 2 else _CODES[_END])
            values.append(bits.value)
            counts.append(bits.count)
    return np.array(values), np.array(counts)


_HEAD = _block_head()
_HEAD_WORDS = np.frombuffer(_HEAD.value.to_bytes(4 * (_HEAD.count // _WORD_BITS + 1), "little"), "<u4").astype(np.int64)
_RUN_END_VALUES, _RUN_END_BITS = _run_ends()


def deflate_runs(lengths: Integers, run_bytes: Integers, firsts: Integers) -> list[bytes]:
    """Raw deflate streams, each of runs of 0 and 1 in turn, 0 first.

    Args:
      lengths: of the runs of all streams, int64 [runs], each at least 1.
      run_bytes: of each run, as the function of this name gives them.
      firsts: index of the first run of each stream, ascending from 0.
    """
    runs = _runs_of_streams(firsts, len(lengths))
    lasts = firsts + runs - 1
    longest = (lengths - 1) // _LONGEST_COPY
    ends = lengths - 1 + _LONGEST_COPY * (run_bytes - longest)
    ends[lasts] += 2 * _LONGEST_COPY
    bits = _RUN_END_BITS[ends]
    begins = (longest * (len(_CODES[_LONGEST]) + len(_DISTANCE_ONE)) + bits).cumsum()
    stops = begins[lasts]
    sizes = stops + _HEAD.count
    sizes[1:] -= stops[:-1]
    # Each stream begins at a word of its own.
    words_of_streams = sizes // _WORD_BITS + 2
    starts = words_of_streams.cumsum() - words_of_streams
    begins += (_WORD_BITS * starts + sizes - stops).repeat(runs) - bits
    words = begins >> _WORD_SHIFT
    shifted = _RUN_END_VALUES[ends] << (begins & (_WORD_BITS - 1))
    # No two runs share a bit, so that sums of their bits are the words; below 2**53 the sums are exact.
    total = int(words_of_streams.sum())
    buffer = np.bincount(words, shifted & (2**_WORD_BITS - 1), total)
    buffer[1:] += np.bincount(words, shifted >> _WORD_BITS, total)[:-1]
    buffer[starts[:, None] + np.arange(len(_HEAD_WORDS))] += _HEAD_WORDS
    data = buffer.astype("<u4").tobytes()
    word_bytes = _WORD_BITS // 8
    return [
        data[word_bytes * start : word_bytes * start + (size + 7) // 8]
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)
    ]


def run_bytes(firsts: Integers, runs: int) -> Integers:
    """The byte of each run, 0 or 1, of streams with these first runs, of so many runs in all."""
    return (np.arange(runs) - firsts.repeat(_runs_of_streams(firsts, runs))) & 1


def _runs_of_streams(firsts: Integers, runs: int) -> Integers:
    numbers = np.empty_like(firsts)
    np.subtract(firsts[1:], firsts[:-1], out=numbers[:-1])
    numbers[-1] = runs - firsts[-1]
    return numbers
