"""Sealed values as the flow reads them: gone is for ever, unreadable is for now."""

from __future__ import annotations

import pytest

from durable.audit.payloads import Payload
from durable.errors import PayloadErased
from gateway.errors import ApprovalsUnavailable, PayloadGone
from gateway.sealed import SealedPayloads


async def read(opened):
    def open_payload(**_):
        if isinstance(opened, Exception):
            raise opened
        return opened

    return await SealedPayloads(open_payload).read("acme", "ana", {})


async def test_a_whole_value_is_read():
    assert await read(Payload(body=b"{}", full_bytes=2)) == b"{}"


@pytest.mark.parametrize(
    ("opened", "said"),
    [
        (PayloadErased("its key was destroyed"), PayloadGone),
        (Payload(body=b"{", full_bytes=2), PayloadGone),
        (OSError(24, "Too many open files"), ApprovalsUnavailable),
    ],
    ids=["erased", "cut", "unreadable"],
)
async def test_what_cannot_be_read_is_said_for_what_it_is(opened, said):
    with pytest.raises(said):
        await read(opened)
