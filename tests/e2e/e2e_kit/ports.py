"""Free loopback ports, outside the range the kernel hands out to outgoing connections."""

from __future__ import annotations

import random
import socket

_LOWEST, _HIGHEST = 21_000, 31_999
_taken: set[int] = set()


def free_port() -> int:
    """A port nobody listens on now, and that no outgoing connection will take meanwhile."""
    for _ in range(500):
        port = random.randint(_LOWEST, _HIGHEST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _taken:
            _taken.add(port)
            return port
    raise AssertionError("no free port found")
