"""What can go wrong in scanners, as types. Matched by ``code``; the text is for people."""

from __future__ import annotations


class ScannerError(Exception):
    """A text could not be judged. Never raised itself: every error says why."""

    code = "scanner_error"


class RulesRejected(ScannerError):
    """The rules cannot be used: unreadable, contradictory, or too large for their bound."""

    code = "scanner_rules_rejected"


class ScanIncomplete(ScannerError):
    """The matching engine gave up on a text. What it did report is not used: the text counts as unread."""

    code = "scan_incomplete"
