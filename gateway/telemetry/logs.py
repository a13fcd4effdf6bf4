"""Structured logs: one JSON object a line on stderr; plain sentences when a person is watching."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TextIO

LOGGER = "toolgate"
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class JsonLines(logging.Formatter):
    """A record as one JSON object; control characters are escaped by the encoding."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level and text first, then the record's own members."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line = {
            "at": stamp,
            "level": record.levelname.lower(),
            "text": record.getMessage(),
            **_members(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=True)


class Sentences(logging.Formatter):
    """For a terminal: level only when it matters, members in brackets, nothing that moves the cursor."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; control characters shown as escapes."""
        members = _members(record)
        tail = " [" + " ".join(f"{name}={value}" for name, value in members.items()) + "]" if members else ""
        head = "" if record.levelno < logging.WARNING else record.levelname.lower() + ": "
        text = head + record.getMessage() + tail
        return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _members(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def start_logging(*, level: str, stream: TextIO | None = None) -> logging.Logger:
    """Attach the one log stream; JSON unless it is a terminal."""
    target = sys.stderr if stream is None else stream
    output = logging.StreamHandler(target)
    output.setFormatter(Sentences() if target.isatty() else JsonLines())
    logger = logging.getLogger(LOGGER)
    logger.handlers[:] = [output]
    logger.setLevel(level.upper())
    logger.propagate = False
    return logger
