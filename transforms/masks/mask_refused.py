"""What a mask that cannot be used is refused with."""

from __future__ import annotations

from transforms.ledger.reasons import Reason


class MaskRefused(Exception):
    """A mask that cannot be part of a record: a reason code and a sentence for the ledger."""

    def __init__(self, reason: Reason, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
