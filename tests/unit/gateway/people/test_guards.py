"""Names under which the port is reached, and whose page asks."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.people.errors import PeopleRefusal
from gateway.people.guards import Door, check_origin
from gateway.people.settings import PeopleSettings


def opened(host, *, listen=("127.0.0.1", 8421), headers=(), query=b"", **settings):
    door = Door(PeopleSettings(**settings), listen_host=listen[0], listen_port=listen[1])
    raw = [(b"host", host.encode()), *((name.encode(), value.encode()) for name, value in headers)]
    return door.open(
        {"headers": raw, "method": "GET", "query_string": query, "client": ("192.0.2.1", 1), "path": "/"}
    )


@pytest.mark.parametrize(
    ("host", "listen", "settings", "origin"),
    [
        ("127.0.0.1:8421", ("127.0.0.1", 8421), {}, "http://127.0.0.1:8421"),
        ("LocalHost:8421", ("127.0.0.1", 8421), {}, "http://localhost:8421"),
        ("[::1]:8421", ("::1", 8421), {}, "http://[::1]:8421"),
        ("localhost", ("127.0.0.1", 80), {}, "http://localhost"),
        (
            "gate.example",
            ("127.0.0.1", 8421),
            {"public_url": "https://gate.example/"},
            "https://gate.example",
        ),
        (
            "gate.example",
            ("127.0.0.1", 8421),
            {"public_url": "https://GATE.example:443"},
            "https://gate.example",
        ),
        (
            "gate.example:9",
            ("127.0.0.1", 8421),
            {"public_url": "https://gate.example:9"},
            "https://gate.example:9",
        ),
    ],
)
def test_a_host_has_the_origin_of_its_pages(host, listen, settings, origin):
    head = opened(host, listen=listen, **settings)
    assert head.own_origin == origin
    assert head.secure is origin.startswith("https")


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1", "127.0.0.1:84210", "localhost:8421.evil.example"]
)
def test_another_host_is_refused(host):
    with pytest.raises(PeopleRefusal) as caught:
        opened(host, public_url="https://gate.example")
    assert caught.value.code == "wrong_host"


def test_a_port_on_another_address_does_not_answer_to_local_names():
    assert opened("192.0.2.7:8421", listen=("192.0.2.7", 8421)).own_origin == "http://192.0.2.7:8421"
    with pytest.raises(PeopleRefusal):
        opened("localhost:8421", listen=("192.0.2.7", 8421))


@pytest.mark.parametrize(
    "url",
    ["gate.example", "ftp://gate.example", "https://", "https://a@gate.example", "https://gate.example/x",
     "https://gate.example?x", "javascript:alert(1)"],
)  # fmt: skip
def test_a_public_address_is_an_origin(url):
    with pytest.raises(ValidationError, match="public_url"):
        PeopleSettings(public_url=url)


@pytest.mark.abuse(87)
@pytest.mark.parametrize(
    ("headers", "strictly", "passes"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"origin": "http://127.0.0.1:8421"}, True, True),
        ({"origin": "http://127.0.0.1:8421", "sec-fetch-site": "same-origin"}, True, True),
        ({"origin": "http://127.0.0.1:8421", "sec-fetch-site": "cross-site"}, True, False),
        ({"origin": "http://localhost:8421"}, True, False),
        ({"origin": "http://localhost:8421"}, False, False),
        ({"origin": "null"}, False, False),
        ({"origin": ""}, False, False),
        ({"sec-fetch-site": "none"}, False, True),
        ({"sec-fetch-site": "none"}, True, False),
        ({"sec-fetch-site": "same-site"}, False, False),
        ({"sec-fetch-site": "same-origin"}, True, False),
    ],
)
def test_whose_page_asks(headers, strictly, passes):
    head = opened("127.0.0.1:8421", headers=headers.items())
    if passes:
        check_origin(head, strictly=strictly)
        return
    with pytest.raises(PeopleRefusal, match="does not come from a page of this port"):
        check_origin(head, strictly=strictly)


def test_a_query_string_is_bounded():
    assert opened("127.0.0.1:8421", query=b"x" * 2_048).query == b"x" * 2_048
    with pytest.raises(PeopleRefusal):
        opened("127.0.0.1:8421", query=b"x" * 2_049)
