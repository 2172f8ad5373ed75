"""Objects in Google Cloud Storage, by the operations that all storage has; ``gs://bucket/name``.

A folder is what names have in common up to a "/". An object whose own name ends with "/" only stands for a folder in
some tools, and is passed over. With STORAGE_EMULATOR_HOST set, all goes there, without credentials.
"""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, BinaryIO
from urllib.parse import urlencode

from transforms.storage.file_system import FileStatus
from transforms.storage.gcs_errors import error_of, in_plain_words
from transforms.storage.gcs_requests import FIRST_PAUSE, LONGEST_PAUSE, RETRY_SECONDS, connection
from transforms.storage.ranged_reader import CHUNK_BYTES, open_ranged

_FIELDS = "name,size,updated,generation,metadata"
_THREADS = 32
_TIMEOUT = (10.0, 60.0)


def split_url(url: str) -> tuple[str, str]:
    """Bucket and name of ``gs://bucket/name``; the name may be ""."""
    bucket, _, name = url[len("gs://") :].partition("/")
    return bucket, name


class GcsFiles:
    """See ``FileSystem``. A tag is an object's generation."""

    def read(self, path: str, max_bytes: int | None = None) -> bytes:
        return self.read_tagged(path, max_bytes)[0]

    def read_tagged(self, path: str, max_bytes: int | None = None) -> tuple[bytes, str]:
        bucket, name = _object(path)
        link = connection()
        answer = link.get(f"/download{link.object_path(bucket, name)}?alt=media", path, max_bytes=max_bytes)
        body = gzip.decompress(answer.body) if _is_packed(answer.headers) else answer.body
        return body, answer.headers.get("x-goog-generation", "")

    def read_range(self, path: str, start: int, size: int) -> bytes:
        return self._range(path, start, size)[0] if size else b""

    def _range(self, path: str, start: int, size: int, generation: str = "") -> tuple[bytes, Mapping[str, str]]:
        bucket, name = _object(path)
        link = connection()
        query = "alt=media" + (f"&generation={generation}" if generation else "")
        place = f"/download{link.object_path(bucket, name)}?{query}"
        try:
            answer = link.get(place, path, f"{start}-{start + size - 1}")
        except OSError as error:
            if "answers 416" in str(error):  # nothing is there from this offset on
                return b"", {}
            raise
        return answer.body, answer.headers

    def open(self, path: str) -> BinaryIO:
        """See ``FileSystem``; all is of one generation, even where the object is replaced while it is read."""
        first, headers = self._range(path, 0, CHUNK_BYTES)
        if _is_packed(headers):
            return io.BytesIO(self.read(path))
        size = int(headers.get("content-range", f"/{len(first)}").rpartition("/")[2])
        generation = headers.get("x-goog-generation", "")
        return open_ranged(lambda start, wanted: self._range(path, start, wanted, generation)[0], size, first)

    def status(self, path: str) -> FileStatus | None:
        bucket, name = split_url(path)
        if not name or name.endswith("/"):
            return None
        link = connection()
        try:
            entry = link.get(f"{link.object_path(bucket, name)}?fields={_FIELDS}&projection=noAcl", path).json()
        except FileNotFoundError as error:
            if "no bucket" in str(error):
                raise
            return None
        return _status(bucket, entry)

    def is_folder(self, path: str) -> bool:
        return any(entries or folders for entries, folders in self._pages(path, most=1))

    def list_folder(self, path: str) -> tuple[list[FileStatus], list[str]]:
        files: list[FileStatus] = []
        folders: list[str] = []
        for entries, prefixes in self._pages(path, delimiter="/"):
            files += entries
            folders += prefixes
        return files, folders

    def walk(self, path: str) -> Iterator[FileStatus]:
        for entries, _ in self._pages(path):
            yield from entries

    def _pages(
        self, path: str, delimiter: str = "", most: int | None = None
    ) -> Iterator[tuple[list[FileStatus], list[str]]]:
        bucket, name = split_url(path)
        prefix = f"{name.rstrip('/')}/" if name else ""
        link = connection()
        query: dict[str, Any] = {
            "prefix": prefix,
            "projection": "noAcl",
            "fields": f"items({_FIELDS}),prefixes,nextPageToken",
            "maxResults": most or 1000,
        }
        if delimiter:
            query["delimiter"] = delimiter
        while True:
            page = link.get(f"{link.object_path(bucket, '')}?{urlencode(query)}", path).json()
            entries = [_status(bucket, item) for item in page.get("items", ()) if not item["name"].endswith("/")]
            yield entries, [f"gs://{bucket}/{folder.rstrip('/')}" for folder in page.get("prefixes", ())]
            if most or "nextPageToken" not in page:
                return
            query["pageToken"] = page["nextPageToken"]

    def write(
        self,
        path: str,
        data: bytes | BinaryIO,
        expected_tag: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        bucket, name = _object(path)
        stream = io.BytesIO(data) if isinstance(data, bytes) else data
        size = stream.seek(0, io.SEEK_END)
        blob = connection().client.bucket(bucket).blob(name)
        blob.metadata = dict(metadata) if metadata else None
        condition = {} if expected_tag is None else {"if_generation_match": int(expected_tag or 0)}
        try:
            with in_plain_words(path):
                blob.upload_from_file(
                    stream,
                    rewind=True,
                    size=size,
                    content_type="application/octet-stream",
                    checksum="crc32c",
                    retry=_retry(),  # safe without a condition too: the same bytes are sent again
                    timeout=_TIMEOUT,
                    **condition,
                )
        except FileExistsError:
            # Ours may have arrived although its answer was lost; then the object holds what we sent.
            there = self.status(path)
            stream.seek(0)
            if there is None or there.bytes != size or self.read(path) != stream.read():
                raise
            return there.tag
        return str(blob.generation)

    def delete(self, path: str, expected_tag: str | None = None) -> None:
        bucket, name = _object(path)
        blob = connection().client.bucket(bucket).blob(name)
        condition = {} if expected_tag is None else {"if_generation_match": int(expected_tag)}
        with contextlib.suppress(FileNotFoundError, FileExistsError), in_plain_words(path):
            blob.delete(**condition, retry=_retry(), timeout=_TIMEOUT)

    def delete_folder(self, path: str) -> None:
        with ThreadPoolExecutor(_THREADS) as executor:
            for _ in executor.map(lambda file: self.delete(file.path), list(self.walk(path))):
                pass

    def copy(self, source: str, target: str) -> None:
        source_bucket, source_name = _object(source)
        bucket, name = _object(target)
        client = connection().client
        token = None
        with in_plain_words(target):
            blob = client.bucket(bucket).blob(name)
            while True:
                token, _, _ = blob.rewrite(
                    client.bucket(source_bucket).blob(source_name), token=token, retry=_retry(), timeout=_TIMEOUT
                )
                if token is None:
                    return


def _retry() -> Any:
    """Of Google's client, as patient as ``GcsConnection.get``."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_delay(FIRST_PAUSE, LONGEST_PAUSE, 2.0).with_timeout(RETRY_SECONDS)


def _object(url: str) -> tuple[str, str]:
    bucket, name = split_url(url)
    if not bucket or not name:
        raise error_of(404, f"no such object: {url}", url)
    return bucket, name


def _status(bucket: str, entry: Mapping[str, Any]) -> FileStatus:
    modified = datetime.fromisoformat(entry["updated"]).timestamp() if "updated" in entry else 0.0
    path = f"gs://{bucket}/{entry['name']}"
    return FileStatus(path, int(entry.get("size", 0)), modified, str(entry["generation"]), entry.get("metadata"))


def _is_packed(headers: Mapping[str, str]) -> bool:
    return headers.get("content-encoding", "") == "gzip"
