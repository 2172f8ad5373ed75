from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.fake_gcs import FakeGcs, cloud
from transforms import storage
from transforms.storage import lease
from transforms.storage.lease import LeaseTaken, held_lease

LOCK = "gs://bucket/out/lock"


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(lease, "DEAD_SECONDS", 1.0)
    yield from cloud("bucket", monkeypatch=monkeypatch)


def test_a_living_holder_keeps_others_out(gcs: FakeGcs) -> None:
    with held_lease(LOCK) as held:
        for _ in range(2):
            with pytest.raises(LeaseTaken), held_lease(LOCK):
                pass
        assert not held.is_lost
    assert gcs.names("bucket") == []
    with held_lease(LOCK):
        pass


def test_the_lease_of_a_dead_run_is_taken_over(gcs: FakeGcs) -> None:
    gcs.put("bucket", "out/lock", b"of a run that was killed")
    begun = time.monotonic()
    with held_lease(LOCK) as held:
        assert 0.8 < time.monotonic() - begun < 5
        time.sleep(0.3)
        assert not held.is_lost
    assert gcs.names("bucket") == []


def test_an_old_lease_needs_no_wait(gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch) -> None:
    gcs.put("bucket", "out/lock", b"of a run that was killed yesterday")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86400)
    begun = time.monotonic()
    with held_lease(LOCK):
        assert time.monotonic() - begun < 0.7


def test_a_lease_that_was_taken_over_is_lost_and_left_alone(gcs: FakeGcs) -> None:
    with held_lease(LOCK) as held:
        gcs.put("bucket", "out/lock", b"of another run")
        deadline = time.monotonic() + 5
        while not held.is_lost and time.monotonic() < deadline:
            time.sleep(0.02)
        assert held.is_lost
    assert storage.read_bytes(LOCK) == b"of another run"


def test_of_many_only_one_holds_it(gcs: FakeGcs) -> None:
    holders: list[int] = []
    at_once: list[int] = []

    def run(number: int) -> None:
        try:
            with held_lease(LOCK):
                holders.append(number)
                at_once.append(len(holders))
                time.sleep(0.5)
                holders.remove(number)
        except LeaseTaken:
            pass

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(at_once) == {1}
