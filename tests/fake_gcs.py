"""A Google Cloud Storage on 127.0.0.1: as much of its JSON API as google-cloud-storage and Beam's gcsio speak.

::

    with FakeGcs("bucket") as gcs:
        gcs.put("bucket", "a.txt", b"content")
        subprocess.run([...], env={**os.environ, **gcs.environment})  # or: os.environ |= gcs.environment

``python -m tests.fake_gcs FOLDER BUCKET…`` serves until it is interrupted and prints its environment, for programs that
need a storage in another process; the folder's files ``BUCKET/NAME`` are its first objects.

Preconditions, generations, checksums, pages, ranges and resumable uploads behave as documented at
https://cloud.google.com/storage/docs/json_api. Versions of overwritten objects are not kept.
"""

from __future__ import annotations

import base64
import email
import hashlib
import itertools
import json
import os
import re
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import google_crc32c

CREDENTIALS = {
    "type": "authorized_user",
    "client_id": "x",
    "client_secret": "x",
    "refresh_token": "x",
    "token": "x",
    "expiry": "2099-12-31T23:59:59Z",
}
_PAGE = 1000
_CHUNK = 256 * 1024  # of resumable uploads: all but the last are multiples of it
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ANY = frozenset({"GET"}) | WRITES


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next requests that it fits.

    Attributes:
      kind: an HTTP status; "reset" breaks the connection before anything is done, "lost" when all is done but not
        answered, "cut" in the middle of the answer's body; "hang" answers ``seconds`` late.
      methods: of HTTP.
      path: a regular expression to be found in the unquoted path with its query.
      times: how many requests.
      after: how many pass before.
    """

    kind: int | str
    methods: frozenset[str] = ANY
    path: str = ""
    times: int = 1
    after: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, when (``time.monotonic``), and the status of the answer (0: none was given)."""

    method: str
    path: str
    status: int
    time: float
    range: str = ""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as it is stored, and its resource."""

    data: bytes
    resource: dict[str, Any]

    @property
    def generation(self) -> str:
        return str(self.resource["generation"])


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Upload:
    """A resumable upload that is under way."""

    bucket: str
    metadata: dict[str, Any]
    conditions: dict[str, str]
    data: bytearray = field(default_factory=bytearray)
    done: StoredObject | None = None


class FakeGcs:
    """A storage with these buckets; a context manager.

    Attributes:
      latency: seconds that every request takes, besides its work; requests wait beside each other.
      faults: still to come; a test adds to it.
      denied: status (401, 403) by bucket and method, "*" for all methods.
      requests: all so far.
      token_seconds: how long an access token lives; ``/token`` gives them.
      tokens_left: how many more there are; then the grant counts as revoked.
    """

    def __init__(self, *buckets: str, latency: float = 0.0):
        self.latency = latency
        self.faults: list[Fault] = []
        self.denied: dict[tuple[str, str], int] = {}
        self.requests: list[Request] = []
        self.token_seconds = 3600
        self.tokens_left = 1_000_000
        self.lock = threading.RLock()
        self.uploads: dict[str, Upload] = {}
        self._buckets: dict[str, dict[str, StoredObject]] = {name: {} for name in buckets}
        self._generations = itertools.count(time.time_ns() // 1000)
        self._server = _Server(self)
        self._credentials = tempfile.NamedTemporaryFile("w", suffix=".json")  # noqa: SIM115 - closed with the server
        json.dump(CREDENTIALS, self._credentials)
        self._credentials.flush()

    def __enter__(self) -> FakeGcs:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._credentials.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to take this for the cloud, without a search for credentials of 20 s."""
        return {
            "STORAGE_EMULATOR_HOST": self.url,
            "GOOGLE_APPLICATION_CREDENTIALS": self._credentials.name,
            "GOOGLE_CLOUD_PROJECT": "test",
        }

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Stores an object; makes its bucket."""
        with self.lock:
            self._buckets.setdefault(bucket, {})
            self.store(bucket, data, {"name": name}, {})

    def put_folder(self, bucket: str, prefix: str, folder: Path) -> None:
        """Stores all files below a folder as ``prefix/…``."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(bucket, f"{prefix}/{path.relative_to(folder).as_posix()}".lstrip("/"), path.read_bytes())

    def get(self, bucket: str, name: str) -> bytes:
        """The content of an object; KeyError where there is none."""
        return self._buckets[bucket][name].data

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        """The names of all objects with a prefix, sorted."""
        return sorted(name for name in list(self._buckets[bucket]) if name.startswith(prefix))

    def get_folder(self, bucket: str, prefix: str, folder: Path) -> None:
        """Writes all objects ``prefix/…`` below a folder."""
        for name in self.names(bucket, f"{prefix}/"):
            path = folder / name[len(prefix) + 1 :]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.get(bucket, name))

    def count(self, method: str = "", path: str = "") -> int:
        """How many requests there were with this method whose path fits a regular expression."""
        return sum(
            request.method.startswith(method) and re.search(path, request.path) is not None
            for request in list(self.requests)
        )

    # What follows is the API, called with the lock held.

    def fault_of(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if method not in fault.methods or not re.search(fault.path, path):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def bucket(self, name: str, method: str) -> dict[str, StoredObject]:
        status = self.denied.get((name, method), self.denied.get((name, "*")))
        if status is not None:
            raise Refused(status, f"caller does not have storage access to {name}")
        if name not in self._buckets:
            raise Refused(404, "The specified bucket does not exist.")
        return self._buckets[name]

    def granted(self, bucket: str, permissions: list[str]) -> list[str]:
        """Those of some permissions to objects that the caller has."""
        methods = {"storage.objects.create": "POST", "storage.objects.delete": "DELETE"}
        if bucket not in self._buckets:
            raise Refused(404, "The specified bucket does not exist.")
        denied = {method for name, method in self.denied if name == bucket}
        return [item for item in permissions if not denied & {methods.get(item, "GET"), "*"}]

    def make_bucket(self, name: str) -> dict[str, Any]:
        if name in self._buckets:
            raise Refused(409, "Your previous request to create the named bucket succeeded and you already own it.")
        self._buckets[name] = {}
        return bucket_resource(name)

    def give_token(self) -> _Answer:
        """As https://datatracker.ietf.org/doc/html/rfc6749#section-5 has it."""
        if not self.tokens_left:
            revoked = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            return _json(revoked, 400)
        self.tokens_left -= 1
        return _json({"access_token": "token", "expires_in": self.token_seconds, "token_type": "Bearer"})

    def find(self, bucket: str, name: str, query: dict[str, str], method: str = "GET") -> StoredObject:
        objects = self.bucket(bucket, method)
        stored = objects.get(name)
        if stored is None or query.get("generation", stored.generation) != stored.generation:
            raise Refused(404, f"No such object: {bucket}/{name}")
        check_conditions(stored, query, is_read=method == "GET")
        return stored

    def store(self, bucket: str, data: bytes, metadata: dict[str, Any], conditions: dict[str, str]) -> StoredObject:
        objects = self.bucket(bucket, "POST")
        name = metadata["name"]
        check_conditions(objects.get(name), conditions)
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        crc32c = base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()
        for key, real in (("md5Hash", md5), ("crc32c", crc32c)):
            if metadata.get(key, real) != real:
                raise Refused(400, f"Provided {key} {metadata[key]} does not match {real}.")
        generation, now = str(next(self._generations)), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        resource = {
            **metadata,
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{generation}",
            "selfLink": f"{self.url}/storage/v1/b/{bucket}/o/{quote(name, safe='')}",
            "mediaLink": f"{self.url}/download/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
            f"?generation={generation}&alt=media",
            "bucket": bucket,
            "generation": generation,
            "metageneration": "1",
            "contentType": metadata.get("contentType") or "application/octet-stream",
            "storageClass": "STANDARD",
            "size": str(len(data)),
            "md5Hash": md5,
            "crc32c": crc32c,
            "etag": base64.b64encode(generation.encode()).decode(),
            "timeCreated": now,
            "updated": now,
        }
        objects[name] = StoredObject(bytes(data), resource)
        return objects[name]

    def delete(self, bucket: str, name: str, query: dict[str, str]) -> None:
        self.find(bucket, name, query, "DELETE")
        del self._buckets[bucket][name]

    def patch(self, bucket: str, name: str, query: dict[str, str], changes: dict[str, Any]) -> StoredObject:
        stored = self.find(bucket, name, query, "PATCH")
        metageneration = str(int(stored.resource["metageneration"]) + 1)
        patched = StoredObject(stored.data, {**stored.resource, **changes, "metageneration": metageneration})
        self._buckets[bucket][name] = patched
        return patched

    def copy(self, source: tuple[str, str], target: tuple[str, str], query: dict[str, str]) -> StoredObject:
        of_source = {
            key.replace("Source", ""): value
            for key, value in query.items()
            if key.startswith("ifSource") or key == "sourceGeneration"
        }
        if "sourceGeneration" in query:
            of_source["generation"] = query["sourceGeneration"]
        stored = self.find(*source, of_source)
        return self.store(target[0], stored.data, {**_given(stored), "name": target[1]}, query)

    def compose(self, bucket: str, name: str, query: dict[str, str], body: dict[str, Any]) -> StoredObject:
        parts = [self.find(bucket, part["name"], {}) for part in body["sourceObjects"]]
        if len(parts) > 32:
            raise Refused(400, "The number of source components provided exceeds the maximum (32).")
        metadata = {**body.get("destination", {}), "name": name}
        return self.store(bucket, b"".join(part.data for part in parts), metadata, query)

    def listing(self, bucket: str, query: dict[str, str]) -> dict[str, Any]:
        objects = self.bucket(bucket, "GET")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        entries: dict[str, StoredObject | None] = {}
        for name in sorted(objects, key=str.encode):
            if not name.startswith(prefix) or name < query.get("startOffset", ""):
                continue
            if "endOffset" in query and name >= query["endOffset"]:
                continue
            end = name.find(delimiter, len(prefix)) if delimiter else -1
            if end < 0:
                entries[name] = objects[name]
            else:
                entries.setdefault(name[: end + len(delimiter)], None)
        start = base64.urlsafe_b64decode(query["pageToken"]).decode() if "pageToken" in query else ""
        left = [(name, entry) for name, entry in entries.items() if name.encode() > start.encode()]
        page = left[: min(_PAGE, int(query.get("maxResults", _PAGE)))]
        answer: dict[str, Any] = {"kind": "storage#objects"}
        if items := [entry.resource for _, entry in page if entry is not None]:
            answer["items"] = items
        if prefixes := [name for name, entry in page if entry is None]:
            answer["prefixes"] = prefixes
        if len(left) > len(page):
            answer["nextPageToken"] = base64.urlsafe_b64encode(page[-1][0].encode()).decode()
        return answer


def bucket_resource(name: str) -> dict[str, Any]:
    return {
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "projectNumber": "1",
        "location": "US-CENTRAL1",
        "locationType": "region",
        "storageClass": "STANDARD",
        "metageneration": "1",
        "timeCreated": "2020-01-01T00:00:00.000Z",
        "updated": "2020-01-01T00:00:00.000Z",
    }


def check_conditions(stored: StoredObject | None, query: dict[str, str], *, is_read: bool = False) -> None:
    """Raises Refused 412 (304 of a read that asks for another generation than there is) where one does not hold."""
    there = {
        "Generation": stored.generation if stored else "0",
        "Metageneration": stored.resource["metageneration"] if stored else "0",
    }
    for what, value in there.items():
        if query.get(f"if{what}Match", value) != value:
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")
        if query.get(f"if{what}NotMatch") == value:
            raise Refused(304 if is_read else 412, "At least one of the pre-conditions you specified did not hold.")


def _given(stored: StoredObject) -> dict[str, Any]:
    """What the uploader said of an object."""
    return {key: stored.resource[key] for key in ("contentType", "metadata", "cacheControl") if key in stored.resource}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, gcs: FakeGcs):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gcs = gcs

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that is killed, or had enough of an answer, is no error of the storage.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


_Answer = tuple[int, dict[str, str], bytes]
_OBJECT = r"/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet, not one for each header
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names that the base class looks for

    def log_message(self, *args: object) -> None:
        """Nothing on the screen; ``FakeGcs.requests`` is the log."""

    def _serve(self) -> None:
        body = self._body()
        gcs, path = self.server.gcs, unquote(self.path)
        with gcs.lock:
            fault = gcs.fault_of(self.command, path)
        time.sleep(gcs.latency + (fault.seconds if fault else 0.0))
        if fault is not None and fault.kind == "reset":
            self._log(0)
            self._break()
            return
        if fault is not None and isinstance(fault.kind, int):
            answer = _refusal(Refused(fault.kind, "a planned fault"))
        else:
            with gcs.lock:
                answer = _answer(gcs, self.command, self.path, dict(self.headers.items()), body)
        status, headers, data = answer
        if fault is not None and fault.kind == "lost":
            self._log(0)
            self._break()
            return
        self._log(status)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault is not None and fault.kind == "cut":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self._break()
            return
        self.wfile.write(data)

    def _log(self, status: int) -> None:
        request = Request(
            self.command, unquote(self.path), status, time.monotonic(), self.headers.get("Range", "") or ""
        )
        self.server.gcs.requests.append(request)

    def _break(self) -> None:
        """Ends the connection with a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(data)


def _answer(gcs: FakeGcs, method: str, target: str, headers: dict[str, str], body: bytes) -> _Answer:
    path, query_text = urlsplit(target).path, urlsplit(target).query
    query = dict(parse_qsl(query_text, keep_blank_values=True))
    headers = {name.lower(): value for name, value in headers.items()}
    try:
        if path == "/token":
            return gcs.give_token()
        if path == "/batch/storage/v1":
            return _batch(gcs, headers["content-type"], body)
        if path.startswith("/upload/"):
            return _upload(gcs, method, path, query, headers, body)
        if found := re.fullmatch(r"/storage/v1/b/([^/]+)/iam/testPermissions", path):
            asked = [value for key, value in parse_qsl(query_text) if key == "permissions"]
            return _json({"permissions": gcs.granted(unquote(found[1]), asked)})
        return _object_or_bucket(gcs, method, path.removeprefix("/download"), query, headers, body)
    except Refused as refused:
        return _refusal(refused)


def _refusal(refused: Refused) -> _Answer:
    error = {"code": refused.status, "message": refused.message, "errors": [{"message": refused.message}]}
    return (304, {}, b"") if refused.status == 304 else _json({"error": error}, refused.status)


def _json(value: dict[str, Any], status: int = 200) -> _Answer:
    return status, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(value).encode()


def _object_or_bucket(
    gcs: FakeGcs, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> _Answer:
    if found := re.fullmatch(rf"{_OBJECT}/(copyTo|rewriteTo)/b/(?P<bucket2>[^/]+)/o/(?P<name2>[^/]+)", path):
        bucket, name, kind, bucket2, name2 = map(unquote, found.groups())
        resource = gcs.copy((bucket, name), (bucket2, name2), query).resource
        size = resource["size"]
        rewritten = {"done": True, "totalBytesRewritten": size, "objectSize": size, "resource": resource}
        return _json(rewritten if kind == "rewriteTo" else resource)
    if found := re.fullmatch(rf"{_OBJECT}/compose", path):
        return _json(gcs.compose(*map(unquote, found.groups()), query, json.loads(body)).resource)  # type: ignore[misc]
    if found := re.fullmatch(_OBJECT, path):
        bucket, name = map(unquote, found.groups())
        if method == "DELETE":
            gcs.delete(bucket, name, query)
            return 204, {}, b""
        if method == "PATCH":
            return _json(gcs.patch(bucket, name, query, json.loads(body)).resource)
        stored = gcs.find(bucket, name, query)
        return _download(stored, headers.get("range", "")) if query.get("alt") == "media" else _json(stored.resource)
    if found := re.fullmatch(r"/storage/v1/b/([^/]+)(/o)?", path):
        bucket = unquote(found[1])
        if found[2]:
            return _json(gcs.listing(bucket, query))
        gcs.bucket(bucket, method)
        return _json(bucket_resource(bucket))
    if path == "/storage/v1/b" and method == "POST":
        return _json(gcs.make_bucket(json.loads(body)["name"]))
    raise Refused(501, f"{method} {path} is not part of this storage")


def _download(stored: StoredObject, wanted: str) -> _Answer:
    data, resource = stored.data, stored.resource
    headers = {
        "Content-Type": resource["contentType"],
        "ETag": resource["etag"],
        "X-Goog-Generation": stored.generation,
        "X-Goog-Stored-Content-Length": resource["size"],
        "X-Goog-Stored-Content-Encoding": "identity",
        "X-Goog-Hash": f"crc32c={resource['crc32c']},md5={resource['md5Hash']}",
    }
    if not (found := re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)):
        return 200, headers, data
    if not found[1]:
        start, end = max(0, len(data) - int(found[2])), len(data)
    else:
        start, end = int(found[1]), min(len(data), int(found[2] or len(data)) + 1)
    if start >= len(data):
        return 416, {"Content-Range": f"bytes */{len(data)}"}, b""
    return 206, {**headers, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}, data[start:end]


def _upload(
    gcs: FakeGcs, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
) -> _Answer:
    found = re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", path)
    if not found:
        raise Refused(404, "Not Found")
    bucket, kind = unquote(found[1]), query.get("uploadType")
    if "upload_id" in query:
        return _continued(gcs, method, query["upload_id"], headers, body)
    if kind == "media":
        metadata = {"name": query["name"], "contentType": headers.get("content-type")}
        return _json(gcs.store(bucket, body, metadata, query).resource)
    if kind == "multipart":
        described, content = _parts(headers["content-type"], body)
        metadata = {"contentType": content[0].get("content-type"), **json.loads(described[1])}
        return _json(gcs.store(bucket, content[1], {**_named(query), **metadata}, query).resource)
    metadata = {**_named(query), **(json.loads(body) if body else {})}
    metadata.setdefault("contentType", headers.get("x-upload-content-type"))
    check_conditions(gcs.bucket(bucket, "POST").get(metadata["name"]), query)
    upload_id = hashlib.sha256(os.urandom(16)).hexdigest()
    gcs.uploads[upload_id] = Upload(bucket, metadata, query)
    return 200, {"Location": f"{gcs.url}{path}?uploadType=resumable&upload_id={upload_id}"}, b""


def _named(query: dict[str, str]) -> dict[str, str]:
    return {"name": query["name"]} if "name" in query else {}


def _continued(gcs: FakeGcs, method: str, upload_id: str, headers: dict[str, str], body: bytes) -> _Answer:
    """A chunk of a resumable upload, or the question how far it is."""
    upload = gcs.uploads.get(upload_id)
    if upload is None:
        raise Refused(404, "No such upload")
    if method == "DELETE":
        del gcs.uploads[upload_id]
        return 499, {}, b""
    if upload.done is not None:
        return _json(upload.done.resource)
    found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", headers.get("content-range", "bytes 0-0/*"))
    if not found:
        raise Refused(400, f"bad Content-Range {headers['content-range']}")
    if found[1]:
        start = int(found[1])
        if start > len(upload.data) or int(found[2]) - start + 1 != len(body):
            raise Refused(400, f"chunk {headers['content-range']} of {len(body)} bytes does not follow")
        if found[3] == "*" and len(body) % _CHUNK:
            raise Refused(400, f"a chunk of {len(body)} bytes is no multiple of {_CHUNK}")
        del upload.data[start:]
        upload.data += body
    if found[3] == "*" or len(upload.data) < int(found[3]):
        return 308, {"Range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {}, b""
    metadata = upload.metadata
    for checksum in headers.get("x-goog-hash", "").split(","):
        name, _, value = checksum.partition("=")
        if name:
            metadata = {**metadata, {"md5": "md5Hash"}.get(name, name): value}
    upload.done = gcs.store(upload.bucket, bytes(upload.data), metadata, upload.conditions)
    return _json(upload.done.resource)


def _parts(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Headers and bodies of a multipart message; bodies as they are, whatever bytes they hold."""
    boundary = email.message_from_string(f"Content-Type: {content_type}\n\n").get_boundary() or ""
    parts = []
    for part in re.split(rb"(?:^|\r?\n)--" + re.escape(boundary.encode()) + rb"(?:--)?[ \t]*\r?\n?", body)[1:]:
        head, separator, content = part.partition(b"\r\n\r\n" if b"\r\n\r\n" in part else b"\n\n")
        if separator:
            message = email.message_from_bytes(head)
            parts.append(({name.lower(): str(value) for name, value in message.items()}, content))
    return parts


def _batch(gcs: FakeGcs, content_type: str, body: bytes) -> _Answer:
    """Many requests in one: each part is a request of its own (RFC 2616 in MIME), answered by a part."""
    answer = ""
    for part_headers, content in _parts(content_type, body):
        head, _, inner = content.replace(b"\r\n", b"\n").partition(b"\n\n")
        line, *rest = head.decode().split("\n")
        method, target, _ = line.split(" ", 2)
        given = dict(pair.split(": ", 1) for pair in rest if pair)
        status, _, data = _answer(gcs, method, target, given, inner)
        gcs.requests.append(Request(method, unquote(target), status, time.monotonic()))
        answer += (
            f"--batch\r\nContent-Type: application/http\r\nContent-ID: <response-{part_headers.get('content-id', '')}>"
            f"\r\n\r\nHTTP/1.1 {status} -\r\nContent-Type: application/json\r\n\r\n{data.decode()}\r\n"
        )
    return 200, {"Content-Type": 'multipart/mixed; boundary="batch"'}, f"{answer}--batch--".encode()


def _main(folder: str, *buckets: str) -> None:
    with FakeGcs(*buckets) as gcs:
        for bucket in buckets:
            gcs.put_folder(bucket, "", Path(folder) / bucket)
        for name, value in gcs.environment.items():
            print(f"export {name}={value}", flush=True)
        threading.Event().wait()


def cloud(*buckets: str, monkeypatch: Any) -> Iterator[FakeGcs]:
    """The body of a fixture: a storage that this process and its children take for the cloud."""
    with FakeGcs(*buckets) as gcs:
        for name, value in gcs.environment.items():
            monkeypatch.setenv(name, value)
        yield gcs


if __name__ == "__main__":
    _main(*sys.argv[1:])
