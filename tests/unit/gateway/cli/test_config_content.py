"""What can find personal data is listed; what is wanted and not there is a mistake that `config check` finds."""

import json

import pytest
import yaml
from click.testing import CliRunner

from gateway.cli.config import config as verbs
from gateway.errors import ConfigurationError


@pytest.fixture
def written(tmp_path):
    def write(**content):
        path = tmp_path / "toolgate.yaml"
        path.write_text(yaml.safe_dump({"data": "./data", "content": content}))
        return str(path)

    return write


def toolgate(*words):
    return CliRunner().invoke(verbs, words, catch_exceptions=True)


def test_recognisers_are_listed_with_what_is_live_and_what_is_on(written):
    config = written(recognizers=["pl-pesel"])
    rows = [json.loads(line) for line in toolgate("recognizers", "-c", config, "--json").output.splitlines()]
    named = {row["id"]: row for row in rows if row.get("id")}
    assert len([row for row in named.values() if row["live"]]) >= 20
    assert (named["pl-pesel"]["on"], named["de-tax-id"]["on"]) == (True, False)
    assert all(row["reason"] for row in rows[:-1]), "those that are not live say why"
    assert rows[-1] == {"names_model": None}
    read = toolgate("recognizers", "-c", config).output
    assert read.startswith("on  pl-pesel") or "\non  pl-pesel" in read
    assert "names and addresses: not looked for" in read


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"recognizers": ["no-such"]}, "no recognisers: no-such"),
        ({"names_model": "no_such"}, "cannot be loaded"),
    ],
)
def test_what_is_wanted_and_not_there_is_a_mistake(written, content, why):
    assert toolgate("check", "-c", written(recognizers=["pl-pesel"])).exit_code == 0
    found = toolgate("check", "-c", written(**content))
    assert found.exit_code != 0
    assert isinstance(found.exception, ConfigurationError)
    assert why in str(found.exception)
    assert found.exception.next_step
    assert toolgate("check", "-c", written(**content, scan=False)).exit_code == 0
