"""The file that a URL of an image means: annotation tools keep the address under which they showed a picture."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit


def name_of_url(url: str) -> str:
    """The path of a URL, for ``image_key`` and ``ImageStore``; a text that is no URL stays as it is.

    ``/data/local-files/?d=a/b.jpg`` (Label Studio) is ``a/b.jpg``; addresses of a web server and file URLs lose their
    query and have their percent signs decoded; names in buckets (s3, gs) are taken as they are. An image within the
    URL ("data:") has no name: "".
    """
    url = url.strip()
    scheme, colon, rest = url.partition(":")
    if not colon or len(scheme) < 2 or not scheme.isalnum():
        return _local_file(url) if url.startswith("/") else url
    if scheme == "data":
        return ""
    if scheme == "file":
        path = unquote(rest)
        return path.lstrip("/") if path.lstrip("/")[1:2] == ":" else path
    if scheme not in ("http", "https"):
        return url
    return _local_file(rest)


def _local_file(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that are no address
        return url
    if named := parse_qs(parts.query).get("d"):
        return named[0]
    return unquote(parts.path)
