"""Requests that read from Google Cloud Storage: as cheap as can be, for there is one for each picture.

Google's own client takes 5 ms of processor time for a download, this 1 ms: the difference is what a build waits for.
Format: https://cloud.google.com/storage/docs/json_api/v1
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import google_crc32c
from urllib3.exceptions import HTTPError

from transforms.storage.file_system import FileTooLarge
from transforms.storage.gcs_errors import error_of, in_plain_words, unreachable

# An outage of so many seconds is waited out.
RETRY_SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 8.0
_TRANSIENT = (408, 429, 500, 502, 503, 504)
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
# Kept alive; more threads than these may read, and then open connections of their own.
_MAX_CONNECTIONS = 256
_CRC32C = re.compile(r"crc32c=([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its body and its headers, in lower case."""

    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


class GcsConnection:
    """Google's client for what is seldom done, and connections of our own to read by. Threads may share it."""

    def __init__(self) -> None:
        import google.auth
        import google.auth.transport.requests
        import requests
        import urllib3
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        with in_plain_words("gs://"):
            if os.environ.get("STORAGE_EMULATOR_HOST"):
                self._credentials, project = AnonymousCredentials(), ""
            else:
                scopes = ["https://www.googleapis.com/auth/devstorage.read_write"]
                self._credentials, project = google.auth.default(scopes=scopes)
        # The project only matters to operations on buckets, of which there are none here.
        self.client = storage.Client(project=project or "none", credentials=self._credentials)
        for scheme in ("https://", "http://"):
            self.client._http.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=_MAX_CONNECTIONS))
        self._endpoint = self.client.api_endpoint.rstrip("/")
        self._auth_request = google.auth.transport.requests.Request()
        proxy = requests.utils.select_proxy(self._endpoint, requests.utils.get_environ_proxies(self._endpoint))
        options: dict[str, Any] = {
            "maxsize": _MAX_CONNECTIONS,
            "ca_certs": os.environ.get("REQUESTS_CA_BUNDLE") or requests.certs.where(),
            "timeout": urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
            "retries": False,
        }
        self._manager = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        self._pool = self._manager.connection_from_url(self._endpoint)
        self._is_anonymous = isinstance(self._credentials, AnonymousCredentials)

    def object_path(self, bucket: str, name: str) -> str:
        """The path of an object's resource; of all objects if the name is ""."""
        return f"/storage/v1/b/{quote(bucket, safe='')}/o" + (f"/{quote(name, safe='')}" if name else "")

    def get(self, path: str, url: str, byte_range: str = "", max_bytes: int | None = None) -> Answer:
        """Sends a GET request until it succeeds or cannot.

        Args:
          path: with its query.
          url: of the object, for errors.
          byte_range: as in the header: "0-99".
          max_bytes: see ``FileSystem.read``.

        Raises:
          OSError: see ``FileSystem``.
        """
        deadline = time.monotonic() + RETRY_SECONDS
        pause = FIRST_PAUSE
        may_renew = not self._is_anonymous
        while True:
            error: OSError
            try:
                status, answer = self._send(path, url, byte_range, max_bytes)
                if status in (200, 206):
                    return answer
                if status == 401 and may_renew:  # the storage may take a token for expired before this machine does
                    may_renew = False
                    with in_plain_words(url):
                        self._credentials.refresh(self._auth_request)
                    continue
                error = error_of(status, answer.body.decode("utf-8", "replace"), url)
                if status not in _TRANSIENT:
                    raise error
            except _Interrupted as interrupted:
                error = unreachable(interrupted, url)
            if time.monotonic() + pause > deadline:
                raise error
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _send(self, path: str, url: str, byte_range: str, max_bytes: int | None) -> tuple[int, Answer]:
        # With this, GCS gives the bytes as they are stored.
        headers = {"Accept-Encoding": "gzip", "User-Agent": "boxmill"}
        if byte_range:
            headers["Range"] = f"bytes={byte_range}"
        if not self._is_anonymous:
            with in_plain_words(url):
                self._credentials.before_request(self._auth_request, "GET", self._endpoint + path, headers)
        try:
            response = self._pool.urlopen(
                "GET", path, headers=headers, retries=False, preload_content=False, decode_content=False
            )
            try:
                found = {name.lower(): value for name, value in response.headers.items()}
                size = int(found.get("content-length", 0))
                if response.status == 200 and max_bytes is not None and size > max_bytes:
                    response.close()
                    raise FileTooLarge(f"{url} has {size} bytes, the limit is {max_bytes}")
                body = response.read()
            finally:
                response.release_conn()
        except HTTPError as error:
            raise _Interrupted(str(error)) from error
        crc = _CRC32C.search(found.get("x-goog-hash", "")) if response.status == 200 else None
        if crc and base64.b64decode(crc[1]) != google_crc32c.value(body).to_bytes(4, "big"):
            raise _Interrupted("the bytes received do not match their checksum")
        return response.status, Answer(body, found)


class _Interrupted(Exception):
    """A request that may succeed if it is sent again."""


_lock = threading.Lock()
_connection: tuple[tuple[int, str | None], GcsConnection] | None = None


def connection() -> GcsConnection:
    """This process's connection; a forked process makes its own, and so does another emulator.

    Raises:
      PermissionError: there are no credentials.
    """
    global _connection
    with _lock:
        key = os.getpid(), os.environ.get("STORAGE_EMULATOR_HOST")
        if _connection is None or _connection[0] != key:
            _connection = key, GcsConnection()
        return _connection[1]
