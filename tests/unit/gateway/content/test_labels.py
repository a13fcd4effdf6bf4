"""Which findings label a session, and with what."""

from __future__ import annotations

import itertools

import pytest

from gateway.content.labels import LABELS, PRIVATE_DATA, SECRET_SEEN, SET_BY, UNTRUSTED_CONTENT, labels_of
from gateway.core.obligations import FAMILIES, PERSONAL, PERSONAL_KINDS, why_not
from policies.model import Duty


@pytest.mark.parametrize(
    ("family", "kind", "label"),
    [
        ("secret", "github-token", SECRET_SEEN),
        ("personal", "email", PRIVATE_DATA),
        ("personal", "iban", PRIVATE_DATA),
        ("injection", "instruction-override", UNTRUSTED_CONTENT),
        ("hidden-text", "hidden-text", UNTRUSTED_CONTENT),
        ("link", "image", UNTRUSTED_CONTENT),
    ],
)
def test_a_finding_sets_the_label_of_its_family(family, kind, label):
    assert labels_of([(family, kind)]) == {label}


def test_nothing_found_is_no_label():
    assert labels_of([]) == frozenset()


def test_every_family_there_is_has_a_row_and_every_label_is_set_by_one():
    assert set(SET_BY) == FAMILIES
    assert set(SET_BY.values()) == LABELS


def test_a_family_that_is_not_in_the_table_sets_every_label():
    assert labels_of([("personal", "email"), ("astrology", "sign")]) == LABELS


def test_addresses_of_machines_and_ledgers_are_not_about_people():
    assert labels_of([(PERSONAL, "ip-address"), (PERSONAL, "crypto-address")]) == frozenset()
    assert all(
        labels_of([(PERSONAL, kind)]) == {PRIVATE_DATA}
        for kind in PERSONAL_KINDS - {"ip-address", "crypto-address"}
    )


@pytest.mark.abuse(63)
def test_more_findings_never_mean_fewer_labels():
    pool = [
        ("secret", "jwt"),
        ("personal", "ip-address"),
        ("personal", "card"),
        ("link", "image"),
        ("new", "x"),
    ]
    for count in range(len(pool)):
        for some in itertools.combinations(pool, count):
            for one in pool:
                assert labels_of(some) <= labels_of([*some, one])


def test_rules_can_set_every_label_of_the_table():
    for label in LABELS:
        assert why_not(Duty(code="x", do="label", kind=label, rule="r")) == ""
