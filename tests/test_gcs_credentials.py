"""Credentials that end before a run or in the middle of it: one sentence that says what to do, nothing by halves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines import build_tfrecords, detect_video
from tests.fake_gcs import CREDENTIALS, FakeGcs, Fault
from tests.sample_data import coco_box, coco_bytes, coco_image, jpeg, write_files
from tests.videos.shape_clips import write_shapes_clip
from transforms.detectors.demo_model import write_shapes_detector
from transforms.storage import gcs_requests, remote_claim

IMAGES = 30
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Annotated pictures, a clip, a model; and what a build of the pictures makes on a disk."""
    folder = tmp_path_factory.mktemp("credentials")
    numbers = range(1, IMAGES + 1)
    boxes = [coco_box(number, number, [1, 2, 20, 20]) for number in numbers]
    labels = coco_bytes([coco_image(number, f"{number}.jpg") for number in numbers], boxes)
    write_files(folder / "in", {"labels.json": labels} | {f"images/{n}.jpg": jpeg(seed=n) for n in numbers})
    write_shapes_clip(folder / "in/clip.mp4", 90)
    write_shapes_detector(folder / "in/model")
    assert build(folder / "in", folder / "out") == 0
    return folder


@pytest.fixture
def gcs(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    """A storage that is no emulator to the program: it is asked with tokens, which a user's login gives."""
    with FakeGcs("in", "out") as gcs:
        gcs.put_folder("in", "", files / "in")
        login = {key: value for key, value in CREDENTIALS.items() if key not in ("token", "expiry")}
        (tmp_path / "login.json").write_text(json.dumps(login))
        monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
        monkeypatch.setenv("API_ENDPOINT_OVERRIDE", gcs.url)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "login.json"))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "test")
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{gcs.url}/token")
        monkeypatch.setattr(gcs_requests, "_connection", None)
        # A lock that could not be given back is taken over when it has been silent for so long.
        monkeypatch.setattr(remote_claim, "SILENCE_SECONDS", 1.0)
        yield gcs


def build(place: str | Path, output: str | Path) -> int:
    flags = [f"--annotations={place}/labels.json", f"--images={place}/images", f"--output={output}"]
    return build_tfrecords.main([*flags, "--name=sample", "--num_shards=train=3,val=1"])


def remote_build() -> int:
    return build("gs://in", "gs://out/data")


def remote_detect() -> int:
    flags = ["--videos=gs://in/clip.mp4", "--model=gs://in/model", "--output=gs://out/found", "--segment_seconds=1"]
    return detect_video.main(flags)


COMMANDS = {"build": remote_build, "detect": remote_detect}
LOGIN = "run `gcloud auth application-default login`"


def revoked_at_once(gcs: FakeGcs) -> None:
    gcs.tokens_left = 0


def revoked_in_between(gcs: FakeGcs) -> None:
    """A token is only good for one request, and there are some of them."""
    gcs.token_seconds, gcs.tokens_left = 1, 20


def refused_in_between(gcs: FakeGcs) -> None:
    """The storage takes no token any more, new ones neither."""
    gcs.faults.append(Fault(401, path="/storage/", after=20, times=1_000_000))


WAYS = {
    revoked_at_once: "expired or revoked (invalid_grant: Token has been expired or revoked.)",
    revoked_in_between: "expired or revoked (invalid_grant: Token has been expired or revoked.)",
    refused_in_between: "Google does not accept the credentials (401)",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("spoil", WAYS)
def test_a_login_that_ends(
    command: str, spoil: Callable[[FakeGcs], None], files: Path, gcs: FakeGcs, capsys: Capture
) -> None:
    spoil(gcs)
    began = time.monotonic()
    assert COMMANDS[command]() == 1
    assert time.monotonic() - began < 30
    error = capsys.readouterr().err
    assert WAYS[spoil] in error
    assert LOGIN in error
    assert "Traceback" not in error
    assert len([line for line in error.splitlines() if line.startswith(f"boxmill {command}: ")]) == 1
    assert not [name for name in gcs.names("out") if name.endswith("manifest.json")]
    assert spoil is not revoked_at_once or not gcs.names("out")

    gcs.faults.clear()
    gcs.tokens_left = 1_000_000
    assert COMMANDS[command]() == 0
    if command == "build":
        expected = {path.name: path.read_bytes() for path in (files / "out").rglob("*.tfrecord-*")}
        found = {name.rpartition("/")[2]: gcs.get("out", name) for name in gcs.names("out") if ".tfrecord-" in name}
        assert found == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_a_token_that_ends_is_renewed(command: str, gcs: FakeGcs) -> None:
    """Also one that the storage takes for expired before this machine's clock does."""
    gcs.faults.append(Fault(401, path="/storage/", after=12))
    assert COMMANDS[command]() == 0
    assert gcs.count("POST", "^/token") == 2
