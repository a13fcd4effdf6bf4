"""A reviewer's token is shown once; what is kept lets nobody decide."""

import json
import sys

import pytest
import yaml
from click.testing import CliRunner

from gateway.cli import main
from gateway.config.settings import Settings
from gateway.identity.reviewers import ReviewerDirectory, SoleReviewer
from gateway.identity.tokens import token_hash
from gateway.reviewer_token import REVIEWER_HASH_FILE, read_reviewer_hash


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "toolgate.yaml"
    path.write_text("data: ./data\n")
    return path


def toolgate(*words, terminal=False):
    with CliRunner().isolation() as (out, err, _):
        sys.stdout.isatty = lambda: terminal
        try:
            main([*map(str, words)])
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        return code, out.getvalue().decode(), err.getvalue().decode()


def local(config, *words):
    code, out, err = toolgate("reviewer", "new", "--local", "--json", "-c", config, *words)
    return code, json.loads(out) if out else None, err


def test_a_token_and_the_hash_of_it_for_a_script():
    code, out, _ = toolgate(
        "reviewer", "new", "--id", "lea@example.com", "--role", "refund-lead", "--role", "ops", "--json"
    )
    told = json.loads(out)
    assert code == 0
    assert told["token_hash"] == token_hash(told["token"])
    assert (told["id"], told["roles"]) == ("lea@example.com", ["refund-lead", "ops"])
    other = json.loads(toolgate("reviewer", "new", "--id", "lea@example.com", "--json")[1])
    assert other["token"] != told["token"]


@pytest.mark.parametrize("person", ["lea@example.com", "yes", "lea:#x", "0123", 'le"a'])
def test_the_lines_it_prints_are_a_configuration_that_lets_the_token_in(person):
    code, out, _ = toolgate("reviewer", "new", "--id", person, "--role", "refund lead", terminal=True)
    assert code == 0
    first, *_, lines = out.partition("\n")[0], out[out.index("reviewers:") :]
    token = first.split()[-1]
    settings = Settings.model_validate(yaml.safe_load(lines))
    directory = ReviewerDirectory(settings.reviewers, agent_hashes=())
    assert directory.authenticate(f"Bearer {token}").id == person
    assert directory.authenticate(f"Bearer {token}").names == {"refund lead"}
    assert out.count(token) == 1


@pytest.mark.parametrize("words", [["--id", "a b"], ["--id", ""], ["--id", "gateway"], []])
def test_who_is_no_reviewer_gets_no_token(words):
    code, out, err = toolgate("reviewer", "new", "--json", *words)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


@pytest.mark.abuse(128)
def test_a_token_is_not_written_into_a_file_by_mistake(config):
    for words in (["--id", "lea@example.com"], ["--local", "-c", config]):
        code, out, _ = toolgate("reviewer", "new", *words)
        assert (code, out) == (2, "")
    assert not (config.parent / "data" / REVIEWER_HASH_FILE).exists()


@pytest.mark.abuse(128)
def test_the_local_reviewers_token_is_nowhere_on_disk_only_its_hash_for_its_owner(config):
    code, told, _ = local(config)
    assert code == 0
    data = config.parent / "data"
    path = data / REVIEWER_HASH_FILE
    assert path.stat().st_mode & 0o077 == 0
    assert read_reviewer_hash(data) == told["token_hash"]
    everything = b"".join(one.read_bytes() for one in config.parent.rglob("*") if one.is_file())
    assert told["token_hash"].encode() in everything
    assert told["token"].encode() not in everything
    assert told["token"].removeprefix("tgr_").encode() not in everything
    sole = SoleReviewer(id="me@local", token=read_reviewer_hash(data))
    directory = ReviewerDirectory((), agent_hashes=(), sole=sole)
    assert directory.authenticate(f"Bearer {told['token']}").sole


def test_a_local_token_is_replaced_only_if_that_is_said(config):
    _, first, _ = local(config)
    code, told, err = local(config)
    assert (code, told) == (2, None)
    assert "--replace" in err
    assert read_reviewer_hash(config.parent / "data") == first["token_hash"]
    code, second, _ = local(config, "--replace")
    assert code == 0
    assert read_reviewer_hash(config.parent / "data") == second["token_hash"] != first["token_hash"]


def test_where_reviewers_are_named_there_is_no_local_one(config):
    config.write_text(f'reviewers: [{{id: lea@example.com, token: "{token_hash("x")}"}}]\n')
    code, told, err = local(config)
    assert (code, told) == (2, None)
    assert "names its reviewers" in err
    assert local(config, "--id", "lea@example.com")[0] == 2
