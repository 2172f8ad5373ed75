"""Beam is imported without clients that a local run does not need; they are there for whoever asks for them."""

import subprocess
import sys

_SCRIPT = """
import sys
from pipelines import lean_beam
assert "apache_beam" in sys.modules
print(sorted(name for name in lean_beam._NOT_CALLED if name in sys.modules))
import google.cloud.storage
print(google.cloud.storage.Client.__name__)
"""


def test_clients_are_left_out_and_can_be_had_later() -> None:
    run = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["[]", "Client"]
