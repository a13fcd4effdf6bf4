"""detect-secrets as an engine: which of its plugins are live, what they add, and what they may cost."""

from __future__ import annotations

import pkgutil

import pytest
from detect_secrets import plugins

from scanners.credentials import Credentials
from scanners.detectors.detect_secrets_plugins import (
    LIVE,
    NOT_LIVE,
    WINDOW_BYTES_MAX,
    WINDOWS_MAX,
    DetectSecrets,
)
from scanners.detectors.secrets import Secrets
from scanners.document import document_of
from scanners.errors import ScanIncomplete
from scanners.pattern_set import PatternSet
from tests.unit.scanners.detectors.secret_samples import MANY, found, is_triggered
from tests.unit.scanners.samples import RULES

HEX = "0123456789abcdef"
ENGINE = DetectSecrets()
WITH_ENGINE = Secrets(RULES, Credentials([]), engine=ENGINE)
TRIGGERS = PatternSet(sum(WITH_ENGINE.trigger_groups, ()))

EXAMPLES = {
    "artifactory": f"password: AP6xY{HEX[::-1]}b9Z end",
    "cloudant": f"https://ana:{HEX * 4}@ana.cloudant.com/db",
    "ibm_cloud_iam": "ibm_cloud_iam_key = " + "aB3dE5fG7h" * 4 + "x_-9",
    "ibm_cos_hmac": f"secret_access_key: {HEX * 3}",
    "softlayer": f"http://api.softlayer.com/soap/v3/{HEX * 4}",
}


def test_every_plugin_is_used_or_says_why_not():
    installed = {module.name for module in pkgutil.iter_modules(plugins.__path__)} - {"base"}
    assert set(LIVE) | set(NOT_LIVE) == installed
    assert not set(LIVE) & set(NOT_LIVE)
    assert all(NOT_LIVE.values())


@pytest.mark.parametrize("name", LIVE)
def test_a_live_plugin_finds_its_form(name):
    text = EXAMPLES[name]
    rules = {span.rule for span in ENGINE.spans(text.encode(), spans_max=MANY)}
    assert rules == {f"detect-secrets-{name.replace('_', '-')}"}
    assert found({"a": text}, WITH_ENGINE)
    assert is_triggered(text, TRIGGERS)


def test_words_are_no_keys():
    for text in (
        "the APARTMENTS and APACHECONFIG2",
        "cloudant key abcdefghabcdefghabcdefgh",
        "ibm_key = short",
    ):
        assert ENGINE.spans(text.encode(), spans_max=MANY) == []


def test_a_comment_in_the_text_switches_nothing_off():
    text = f"secret_access_key: {HEX * 3}  # pragma: allowlist secret"
    assert ENGINE.spans(text.encode(), spans_max=MANY)


def test_an_expression_sees_a_stretch_of_bounded_length():
    far = "softlayer" + " " * WINDOW_BYTES_MAX + f"http://api.softlayer.com/soap/v3/{HEX * 4}"
    [span] = ENGINE.spans(far.encode(), spans_max=MANY)
    assert far[span.start : span.end] == HEX * 4


def test_a_text_with_more_stretches_than_are_looked_at_is_not_clean():
    behind = f"http://api.softlayer.com/soap/v3/{HEX * 4}"
    assert len(ENGINE.spans((f"softlayer {'x' * 400} " * 2_500 + behind).encode(), spans_max=MANY)) == 1
    with pytest.raises(ScanIncomplete):
        ENGINE.spans(("softlayer " * (WINDOWS_MAX + 1)).encode(), spans_max=MANY)


def test_spans_are_bytes_of_the_text():
    text = f"密码 é secret_access_key: {HEX * 3} ü"
    [span] = ENGINE.spans(text.encode(), spans_max=MANY)
    assert text.encode()[span.start : span.end].decode() == HEX * 3


def test_without_the_engine_its_forms_are_not_asked_for():
    plain = Secrets(RULES, Credentials([]))
    assert not {"cloudant-key", "softlayer-key"} & plain.kinds
    assert {"cloudant-key", "softlayer-key"} <= WITH_ENGINE.kinds
    assert plain.spans(document_of(EXAMPLES["softlayer"]), spans_max=MANY) == []
