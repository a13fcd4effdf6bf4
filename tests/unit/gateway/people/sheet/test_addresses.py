"""Addresses taken apart, so that what looks like a host is told from what is one."""

import pytest

from gateway.people.sheet.addresses import addresses_in


def test_host_and_rest_are_told_apart():
    (found,) = addresses_in("see https://api.example.com/v1?x=1#y")
    assert found.sentence == "address: host api.example.com, scheme https, the rest /v1?x=1#y"
    assert (found.scheme, found.host, found.rest) == ("https", "api.example.com", "/v1?x=1#y")


@pytest.mark.abuse(82)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "https://paypal.com@evil.example/",
            "host evil.example, with paypal.com before it as a name to log in with",
        ),
        (
            "https://paypal.com:80@evil.example:8443/",
            "host evil.example, port 8443, with paypal.com:80 before it",
        ),
        ("https://paypal.com\\@evil.example/", "different readers find different hosts"),
        ("https://paypal.com.evil.example/paypal.com", "host paypal.com.evil.example,"),
        ("HTTPS://EVIL.example", "host evil.example, scheme https, the rest /"),
        ("https://xn--pypal-4ve.com/", "host xn--pypal-4ve.com (in letters: p\u0430ypal.com)"),
        ("https://[::1]:70000/", "not well-formed"),
        ("http://169.254.169.254/latest", "host 169.254.169.254"),
        ("javascript:alert(1)", "scheme javascript"),
        ("data:text/html;base64,xx", "scheme data"),
        ("file:///etc/passwd", "host (none), scheme file, the rest /etc/passwd"),
        ("https:///x", "host (none)"),
    ],
)
def test_where_it_really_leads_is_said(text, told):
    (found,) = addresses_in(text)
    assert told in found.sentence


def test_text_without_an_address_has_none_and_each_is_told_once():
    assert addresses_in("a: b // c, at 12:30") == ()
    assert len(addresses_in("https://a.example https://a.example https://b.example")) == 2


def test_many_letters_in_a_row_are_looked_at_in_passing():
    # With every letter tried as the beginning of a scheme this would go on for an hour.
    assert addresses_in("a" * 1_000_000) == ()
    (found,) = addresses_in("a" * 1_000_000 + " 1https://evil.example/x")
    assert (found.scheme, found.host) == ("https", "evil.example")
