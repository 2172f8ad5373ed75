"""Which encoding an annotation file is in: UTF-8 or UTF-16 by rule, CP949 (a superset of EUC-KR) as the last resort.

Never decodes with replacement: a file that fits none of them is an error, since guessed letters in class names
would silently become new classes.
"""

from __future__ import annotations

import codecs
from typing import BinaryIO

CHUNK_BYTES = 1 << 20
LAST_RESORT = "cp949"


def detect_encoding(stream: BinaryIO) -> str:
    """Names the codec that decodes the whole stream; leaves the stream at its start.

    Returns:
      "utf-16" (by its byte order mark), "utf-8-sig" or "cp949".

    Raises:
      UnicodeDecodeError: none of them fits.
    """
    head = stream.read(2)
    stream.seek(0)
    if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    for encoding in ("utf-8-sig", LAST_RESORT):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while chunk := stream.read(CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            if encoding == LAST_RESORT:
                raise
        else:
            return encoding
        finally:
            stream.seek(0)
    raise AssertionError("unreachable: the last resort returns or raises")


def decode_text(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """Decodes a whole small file.

    Args:
      data: the file's bytes.
      declared: the encoding that the file itself claims (an XML declaration); tried after UTF-8, since files are
        often saved anew without touching the claim.

    Returns:
      The text without a byte order mark, and the encoding used.

    Raises:
      UnicodeDecodeError: no encoding fits.
    """
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return data.decode("utf-16"), "utf-16"
    try:
        return data.decode("utf-8-sig"), "utf-8-sig"
    except UnicodeDecodeError:
        if declared and _is_other_encoding(declared):
            try:
                return data.decode(declared), declared
            except (UnicodeError, LookupError):  # LookupError: a codec that is none of text, such as "hex"
                pass
        return data.decode(LAST_RESORT), LAST_RESORT


def _is_other_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name).name not in ("utf-8", "utf-16", LAST_RESORT, "euc_kr")
    except LookupError:
        return False
