from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from tests.fake_gcs import FakeGcs, cloud
from transforms import storage
from transforms.storage import remote_claim
from transforms.storage.remote_claim import ClaimRefused, claimed

LOCK = "gs://bucket/out/lock"
NO_PROCESS = 2**22 + 1  # above all numbers that processes get


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    monkeypatch.setattr(remote_claim, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(remote_claim, "SILENCE_SECONDS", 1.0)
    monkeypatch.setattr(remote_claim, "_LOOK_SECONDS", 0.15)
    yield from cloud("bucket", monkeypatch=monkeypatch)


def test_a_run_at_work_keeps_others_out(gcs: FakeGcs) -> None:
    with claimed(LOCK) as claim:
        for _ in range(2):
            with pytest.raises(ClaimRefused), claimed(LOCK):
                pass
        claim.check()
    assert gcs.names("bucket") == []
    with claimed(LOCK):
        pass


@pytest.mark.parametrize("content", [b"of a run that was killed", b'{"process": 1, "host": "other", "machine": "x"}'])
def test_the_claim_of_a_killed_run_is_taken_over_when_it_was_silent(content: bytes, gcs: FakeGcs) -> None:
    gcs.put("bucket", "out/lock", content)
    begun = time.monotonic()
    with claimed(LOCK) as claim:
        assert 1.0 < time.monotonic() - begun < 5
        time.sleep(0.3)
        claim.check()
    assert gcs.names("bucket") == []


def test_the_claim_of_a_process_of_this_machine_that_is_gone_is_taken_over_at_once(gcs: FakeGcs) -> None:
    holder = {"owner": "x", "host": "here", "process": NO_PROCESS, "machine": remote_claim._machine()}
    gcs.put("bucket", "out/lock", json.dumps(holder).encode())
    begun = time.monotonic()
    with claimed(LOCK):
        assert time.monotonic() - begun < 0.9


def test_a_claim_that_was_taken_over_is_found_out_and_left_alone(gcs: FakeGcs) -> None:
    other = b'{"owner": "other", "process": 7, "host": "there"}'
    with claimed(LOCK) as claim:
        gcs.put("bucket", "out/lock", other)
        with pytest.raises(ClaimRefused, match=r"\(process 7 on there\) has taken over"):
            claim.check()
        time.sleep(0.3)
    assert storage.read_bytes(LOCK) == other


def test_of_many_one_has_it(gcs: FakeGcs) -> None:
    holders: list[int] = []
    at_once: list[int] = []

    def run(number: int) -> None:
        try:
            with claimed(LOCK):
                holders.append(number)
                at_once.append(len(holders))
                time.sleep(0.5)
                holders.remove(number)
        except ClaimRefused:
            pass

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(at_once) == {1}
