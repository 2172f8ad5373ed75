"""Reads single records of TFRecord files by their address."""

from __future__ import annotations

from transforms import storage
from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason
from transforms.records import RecordAddress
from transforms.shards.record_framing import FOOTER_BYTES, HEADER_BYTES, payload_length, payload_matches


def read_record(address: RecordAddress) -> bytes:
    """The payload of the record at an address.

    Raises:
      ImageRefused: there is another record now, or none: the file has changed since it was read.
      OSError: the storage failed.
    """
    size = HEADER_BYTES + address.length + FOOTER_BYTES
    framed = storage.read_range(address.path, address.offset, size)
    payload = framed[HEADER_BYTES:-FOOTER_BYTES]
    is_whole = len(framed) == size and payload_length(framed[:HEADER_BYTES]) == address.length
    if not is_whole or not payload_matches(payload, framed[-FOOTER_BYTES:]):
        detail = f"the record at byte {address.offset} has changed while the dataset was built"
        raise ImageRefused(Reason.RECORD_DAMAGED, detail)
    return payload
