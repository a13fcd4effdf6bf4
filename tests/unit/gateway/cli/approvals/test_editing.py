"""Edited arguments are read as strictly as a call's, and never carry a marker in place of a secret."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.approvals.client import TOKEN_VARIABLE
from gateway.cli.approvals.editing import edited, editor_text, from_file, in_editor, refuse_markers
from gateway.errors import ConfigurationError
from tests.unit.gateway.cli.approvals.screens import Screen, model
from tests.unit.gateway.cli.approvals.sheets import sheet

ARGUMENTS = {"amount": 250, "lines": [{"sku": "a"}, {"sku": "b"}], "a/b": {"m~n": 1}}


def set_to(*settings):
    return edited(model(sheet(ARGUMENTS)), settings)


@pytest.mark.parametrize(
    ("setting", "changed"),
    [
        ("/amount=50", {"amount": 50}),
        ("/amount=50.5", {"amount": 50.5}),
        ('/amount="50"', {"amount": "50"}),
        ("/amount=fifty = 50", {"amount": "fifty = 50"}),
        ("/amount=", {"amount": ""}),
        ("/new=null", {"new": None}),
        ("/lines/1/sku=c", {"lines": [{"sku": "a"}, {"sku": "c"}]}),
        ("/lines/-={}", {"lines": [{"sku": "a"}, {"sku": "b"}, {}]}),
        ("/a~1b/m~0n=2", {"a/b": {"m~n": 2}}),
    ],
)
def test_a_pointer_sets_one_value(setting, changed):
    assert set_to(setting) == ARGUMENTS | changed


@pytest.mark.parametrize(
    "setting",
    [
        "amount=5",
        "/amount",
        "=5",
        "/nothing/inside=1",
        "/amount/inside=1",
        "/lines/7=1",
        "/lines/01=1",
        "/lines/x=1",
        "/amount=12345678901234567890",
    ],
)
def test_what_cannot_be_set_is_refused(setting):
    with pytest.raises(ConfigurationError):
        set_to(setting)


def test_a_file_is_one_json_object_read_strictly(tmp_path):
    path = tmp_path / "arguments.json"
    path.write_text('{"amount": 50}')
    assert from_file(path) == {"amount": 50}
    for wrong in ['{"a":1,"a":2}', "[1]", "{", '{"a": NaN}', '{"a": "\\ud800"}', "x" * (1 << 20) + "y"]:
        path.write_text(wrong)
        with pytest.raises(ConfigurationError):
            from_file(path)
    with pytest.raises(ConfigurationError):
        from_file(tmp_path / "none.json")


@pytest.mark.abuse(77)
def test_a_marker_is_never_sent_in_place_of_the_secret_it_stands_for():
    marker = "Bearer [REDACTED:github-token:3f9a]"
    shown = model(
        sheet({"amount": 1, "token": marker}, redactions=[{"pointer": "/token", "kind": "github-token"}])
    )
    with pytest.raises(ConfigurationError, match="a secret that is not shown"):
        refuse_markers(shown, edited(shown, ("/amount=2",)))
    with pytest.raises(ConfigurationError, match="a secret that is not shown"):
        refuse_markers(shown, edited(shown, ("/token=mine", f"/elsewhere={marker}")))
    refuse_markers(shown, edited(shown, ("/token=mine",)))
    foreign = model(sheet({"note": marker}, redactions=[{"pointer": "/note", "kind": "foreign-marker"}]))
    refuse_markers(foreign, {"note": marker})


# --- the editor -----------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=4), values, max_size=4))
def test_what_an_editor_gets_is_the_same_json_with_nothing_hidden_in_it(value):
    text = editor_text(value)
    assert json.loads(text) == value
    assert all(char == "\n" or char.isprintable() for char in text)


@pytest.mark.abuse(82)
def test_what_hides_is_an_escape_in_the_editor_and_letters_are_letters():
    text = editor_text({"a": "x\u202e\u200b\u3164\x7f\U000e0041 Привет é"})
    assert "\\u202e\\u200b\\u3164\\u007f\\udb40\\udc41 Привет é" in text


def editor(tmp_path, script):
    path = tmp_path / "editor"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o700)
    return {"EDITOR": str(path), "PATH": os.environ["PATH"]}


def test_an_editor_changes_the_arguments_and_leaves_no_file(tmp_path):
    note = tmp_path / "note"
    environ = editor(tmp_path, f'sed -i s/250/50/ "$1"; stat -c "%a %n" "$1" > {note}')
    found = in_editor(model(sheet(ARGUMENTS)), Screen(), environ)
    assert found == ARGUMENTS | {"amount": 50}
    mode, name = note.read_text().split()
    assert int(mode, 8) & 0o077 == 0
    assert not Path(name).exists()


@pytest.mark.abuse(128)
def test_an_editor_and_its_plug_ins_do_not_get_the_reviewers_token(tmp_path):
    note = tmp_path / "note"
    environ = editor(tmp_path, f"env > {note}") | {TOKEN_VARIABLE: "tgr_secret", "OTHER": "kept"}
    in_editor(model(sheet(ARGUMENTS)), Screen(), environ)
    assert "OTHER=kept" in note.read_text()
    assert "tgr_secret" not in note.read_text()


def test_what_is_no_json_can_be_mended_or_given_up(tmp_path):
    environ = editor(
        tmp_path, 'if grep -q broken "$1"; then echo "{}" > "$1"; else echo "{broken" > "$1"; fi'
    )
    screen = Screen("again")
    assert in_editor(model(sheet(ARGUMENTS)), screen, environ) == {}
    assert "not" in screen.text
    with pytest.raises(ConfigurationError):
        in_editor(model(sheet(ARGUMENTS)), Screen(""), environ)


def test_an_editor_that_fails_or_is_not_there_sends_nothing(tmp_path):
    for environ in (editor(tmp_path, "exit 1"), {"EDITOR": str(tmp_path / "none")}):
        with pytest.raises(ConfigurationError):
            in_editor(model(sheet(ARGUMENTS)), Screen(), environ)
    assert stat.S_ISREG((tmp_path / "editor").stat().st_mode)


def test_what_nobody_can_look_at_cannot_be_edited():
    with pytest.raises(ConfigurationError, match="cannot be edited"):
        edited(model(sheet(uninspectable="too large", arguments_text="")), ("/a=1",))
