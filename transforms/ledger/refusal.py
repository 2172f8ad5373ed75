"""Why something is no part of a dataset, as a value."""

from __future__ import annotations

from typing import NamedTuple

from transforms.ledger.reasons import Reason


class Refusal(NamedTuple):
    """A reason code and a sentence for the ledger.

    It is kept in place of the exception that told it: an exception keeps all that was at hand where it was raised, such
    as the pictures that were loaded together.
    """

    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
