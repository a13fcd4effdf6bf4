"""The findings of a scan as SARIF 2.1.0, for code hosts and CI."""

from __future__ import annotations

import hashlib
import importlib.metadata
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.cli.scan_report import Reported, ServerReport

_LEVELS = {"quarantine": "error", "note": "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_of(reports: Sequence[ServerReport]) -> dict[str, Any]:
    """One run over all servers."""
    ids = sorted({one.finding.rule for report in reports for one in report.reported})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "toolgate",
                        "version": importlib.metadata.version("toolgate"),
                        "rules": [{"id": rule, "name": rule} for rule in ids],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": not any(report.problem for report in reports),
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": f"{report.name}: {report.problem}"}}
                            for report in reports
                            if report.problem
                        ],
                    }
                ],
                "results": [_result(report, one, ids) for report in reports for one in report.reported],
            }
        ],
    }


def _result(report: ServerReport, one: Reported, ids: Sequence[str]) -> dict[str, Any]:
    finding = one.finding
    said = f"{one.place}: {finding.reason}"
    name = "/".join(part for part in (report.name, one.kind, one.name) if part)
    identity = f"{name}\n{finding.rule}\n{finding.pointer}\n{finding.excerpt}"
    return {
        "ruleId": finding.rule,
        "ruleIndex": ids.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{said}: {finding.excerpt}" if finding.excerpt else said},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": quote(report.origin, safe="/:?&=%@+,;~")}},
                "logicalLocations": [
                    {"name": one.name, "fullyQualifiedName": f"{name}{finding.pointer}", "kind": "member"}
                ],
            }
        ],
        "partialFingerprints": {
            "toolgate/v1": hashlib.sha256(identity.encode("utf-8", "backslashreplace")).hexdigest()
        },
    }
