"""Which split an image belongs to: a pure function of its key, so that growing data never moves an old image."""

from __future__ import annotations

import hashlib
import math
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt

_NAME = re.compile(r"^[A-Za-z]\w*$", re.ASCII)
_HASH_RANGE = 2**64


@dataclass(frozen=True, slots=True)
class SplitFractions:
    """Split names and their shares, in the order given; shares sum to 1."""

    names: tuple[str, ...]
    shares: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> SplitFractions:
        """Parses "train=0.8,val=0.2".

        Raises:
          ValueError: no such list, a name twice or unfit for a file, a share out of 0..1, or a sum other than 1.
        """
        names, shares = [], []
        for item in text.split(","):
            name, separator, share = item.strip().partition("=")
            if not separator or not _NAME.match(name):
                raise ValueError(f"{item.strip()!r} is not NAME=SHARE (a name has letters, digits and _)")
            try:
                shares.append(float(share))
            except ValueError:
                raise ValueError(f"the share of {name!r} is {share!r}, which is no number") from None
            if not 0 < shares[-1] <= 1:
                raise ValueError(f"the share of {name!r} is {share}, it must be above 0 and at most 1")
            if name in names:
                raise ValueError(f"the split {name!r} is given twice")
            names.append(name)
        if not math.isclose(sum(shares), 1, abs_tol=1e-6):
            raise ValueError(f"the shares of {text!r} sum to {sum(shares):g}, they must sum to 1")
        return cls(tuple(names), tuple(shares))

    def numbers_of(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
        """The positions of the splits of many keys, given hashes of them."""
        return np.searchsorted(self.cuts, hashes / np.float64(_HASH_RANGE), side="right").astype(np.uint8)

    @property
    def cuts(self) -> list[float]:
        """Where each split but the last ends, as a share of all hashes."""
        return _cumulated(self.shares)

    def split_of(self, key: str) -> str:
        """The split of a key: where its hash falls among the cumulated shares."""
        return self.names[bisect_right(_cumulated(self.shares), key_hash(key, "split") / _HASH_RANGE)]


@lru_cache(maxsize=8)
def _cumulated(shares: tuple[float, ...]) -> list[float]:
    """Upper ends of all splits but the last, which takes the rest."""
    return list(accumulate(shares))[:-1]


def key_hash(key: str, purpose: str) -> int:
    """A 64-bit hash of a key, independent for each purpose, equal on every machine and in every process."""
    digest = _empty_digest(purpose).copy()
    digest.update(key.encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "big")


@lru_cache(maxsize=8)
def _empty_digest(purpose: str) -> hashlib.blake2b:
    """To be copied, which takes half the time of making one."""
    return hashlib.blake2b(digest_size=8, person=purpose.encode())
