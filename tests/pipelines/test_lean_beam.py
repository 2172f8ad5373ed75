"""Beam is imported without what a local run does not need, which is there for whoever asks for it."""

import subprocess
import sys

_LEFT_OUT = """
import sys
from pipelines import lean_beam

assert "apache_beam" in sys.modules
left_out = (*lean_beam._NOT_CALLED, *lean_beam._HARDLY_CALLED, "beartype", "beartype.door", "beartype.roar", "requests")
print(sorted(name for name in left_out if name in sys.modules))
"""
_LATER = """
import typing
from pipelines import lean_beam
from apache_beam.transforms import external, util
from apache_beam.typehints.typehints import is_consistent_with

consistent = [(bool, int), (typing.Literal[1], int)]
others = [(int, bool), (1, int)]
assert all(is_consistent_with(*pair) for pair in consistent) and not any(is_consistent_with(*pair) for pair in others)
assert external.yaml.dump({"a": 1}) == "a: 1\\n"
token = util.Fernet(b"A" * 43 + b"=").encrypt(b"text")

import yaml
from apache_beam.io.gcp.bigquery import ReadFromBigQuery
from cryptography.fernet import Fernet
from google.cloud.storage import Client

assert Fernet(b"A" * 43 + b"=").decrypt(token) == b"text"
print([yaml.safe_load("a: 1"), ReadFromBigQuery.__name__, Client.__name__])
"""


def _printed(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_left_out() -> None:
    assert _printed(_LEFT_OUT) == "[]"


def test_what_is_left_out_can_be_had_later() -> None:
    assert _printed(_LATER) == "[{'a': 1}, 'ReadFromBigQuery', 'Client']"
