"""Whom hold rules name is read from their text, so that a name nobody has is found before a call waits for it."""

from __future__ import annotations

from policies.approvers import named_approvers

TEXT = b"""package toolgate.rules.a
import rego.v1
hold contains {"code": "x", "by": "lead"} if true
hold contains {
\t"code": "y",
\t"by": ["ops", "legal"],
} if true
hold contains {"code": "z", "by": data.names.approver} if true
# "by": "comment"
note := "by"
"""


def test_names_that_are_written_out_are_found_with_their_rows():
    found = named_approvers({"a.rego": TEXT})
    assert [(one.row, one.names) for one in found] == [(3, ("lead",)), (6, ("ops", "legal"))]


def test_tests_data_and_what_cannot_be_read_are_passed_over():
    assert (
        named_approvers({"a_test.rego": TEXT, "data.json": b'{"by": "x"}', "b.rego": b"\xff", "c.rego": b'"'})
        == ()
    )
