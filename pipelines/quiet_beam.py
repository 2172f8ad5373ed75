"""Beam's log without what says nothing to a user of local files: that cloud libraries are absent, and the traceback of a
failure three times over (the failure itself is raised, and told by the command)."""

from __future__ import annotations

import logging


_LOGGERS_OF_FAILURES = ("apache_beam.runners.common", "apache_beam.runners.worker.sdk_worker")


class _NoRemarks(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return "apitools not found" not in str(record.msg) and record.name not in _LOGGERS_OF_FAILURES


def quieten() -> None:
    """Installs a handler on the root logger that leaves the remark out; other messages from WARNING on are shown."""
    root = logging.getLogger()
    if not root.handlers:
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    for handler in root.handlers:
        if not any(isinstance(item, _NoRemarks) for item in handler.filters):
            handler.addFilter(_NoRemarks())


quieten()
