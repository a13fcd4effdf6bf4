"""Where results may lead: back to their upstream, or to the public net; nowhere inside."""

from __future__ import annotations

import pickle

import pytest

from gateway.content.resource_links import LinkRules, ResourceLinks, is_public
from gateway.core.definition import Kind

RULES = LinkRules(
    own_schemes=frozenset({"orders", "file"}),
    foreign_schemes=frozenset({"payments"}),
    own_host="127.0.0.1",
    allowed=("smb://share/public/*",),
)
OTHER = LinkRules(foreign_schemes=frozenset({"orders"}))

MAY = [
    (RULES, "orders://A-1001"),
    (RULES, "file:///srv/data/x.txt"),
    (RULES, "tickets://4711"),
    (RULES, "https://shop.example/o/1?x=y#z"),
    (RULES, "http://127.0.0.1:9100/doc"),
    (RULES, "https://[2606:4700::1111]/"),
    (RULES, "smb://share/public/a/b"),
]
MAY_NOT = [
    (OTHER, "file:///etc/passwd"),
    (OTHER, "FILE:///etc/passwd"),
    (OTHER, "orders://A-1001"),
    (OTHER, "http://127.0.0.1:9100/doc"),
    (RULES, "payments://P-1"),
    (RULES, "http://169.254.169.254/latest/meta-data/"),
    (RULES, "http://[::ffff:169.254.169.254]/"),
    (RULES, "http://2852039166/"),
    (RULES, "http://0xa9.0xfe.0xa9.0xfe/"),
    (RULES, "http://169.254.43518/"),
    (RULES, "http://metadata.google.internal/"),
    (RULES, "http://localhost:8421/"),
    (RULES, "http://LOCALHOST./"),
    (RULES, "http://router/"),
    (RULES, "http://printer.local/"),
    (RULES, "http://10.0.0.1/"),
    (RULES, "http://[fe80::1]/"),
    (RULES, "https://shop.example@10.0.0.1/"),
    (RULES, "https://shop.example\\@10.0.0.1/"),
    (RULES, "https:///x"),
    (RULES, "https://[::1"),
    (RULES, "data:text/html,x"),
    (RULES, "javascript:alert(1)"),
    (RULES, "smb://share/private/a"),
    (RULES, "orders://x\u202e"),
    (RULES, "no uri"),
    (RULES, ""),
]


@pytest.mark.parametrize(("rules", "uri"), MAY, ids=[ascii(uri)[:40] for _, uri in MAY])
def test_a_link_may_lead_back_or_to_the_public_net(rules, uri):
    assert rules.why_not(uri) == ""


@pytest.mark.abuse(70)
@pytest.mark.parametrize(("rules", "uri"), MAY_NOT, ids=[ascii(uri)[:40] for _, uri in MAY_NOT])
def test_a_link_may_not_lead_to_files_inside_or_to_another_upstream(rules, uri):
    assert rules.why_not(uri)


@pytest.mark.abuse(70)
def test_what_is_embedded_may_have_any_name_but_another_upstreams():
    for uri in ("file:///srv/data/x.txt", "orders://1", "tickets://1", "http://10.0.0.1/x"):
        assert RULES.why_no_name(uri) == ""
    for uri in ("payments://1", "javascript:alert(1)", "data:text/html,x", "x", "orders://x\u202e"):
        assert RULES.why_no_name(uri)


def test_rules_go_to_another_process_as_they_are():
    assert RULES.why_not("smb://share/public/a") == ""
    sent = pickle.loads(pickle.dumps(RULES))
    assert sent == RULES
    assert sent.why_not("smb://share/public/a") == ""


@pytest.mark.parametrize("host", ["a.example", "a.b.co.uk", "1.1.1.1", "2606:4700::1111", "123.example"])
def test_public_hosts_are_told(host):
    assert is_public(host)


class Offering:
    """A catalogue with resources."""

    def __init__(self):
        self.version = 1
        self.uris = [("orders", Kind.RESOURCE, "orders://A-1"), ("files", Kind.TEMPLATE, "file:///{path}")]

    def offered(self, kind, upstream):
        return [
            type("Offered", (), {"upstream": whose, "name": uri})
            for whose, its, uri in self.uris
            if its is kind
        ]


def test_rules_follow_what_is_offered():
    catalogue = Offering()
    links = ResourceLinks(catalogue, {"orders": "orders.example"}, {"files": ("smb://x/*",)})
    assert links.of("orders").why_not("file:///x")
    assert links.of("files").why_not("file:///x") == ""
    assert links.of("files").why_not("orders://A-1")
    assert links.of("files").why_not("smb://x/y") == ""
    assert links.of("orders") is links.of("orders"), "made once"
    catalogue.uris.append(("orders", Kind.RESOURCE, "file:///orders.txt"))
    assert links.of("orders").why_not("file:///x"), "not looked at again before something changed"
    catalogue.version = 2
    assert links.of("orders").why_not("file:///x") == ""
    assert links.of("unknown").own_schemes == frozenset()
