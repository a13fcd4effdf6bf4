"""The local reviewer's hash on file: never the token, and nobody else's to write."""

from __future__ import annotations

import os

import pytest

from gateway.errors import ConfigurationError
from gateway.identity.reviewers import new_reviewer_token
from gateway.identity.tokens import token_hash
from gateway.reviewer_token import REVIEWER_HASH_FILE, read_reviewer_hash, write_reviewer_hash

TOKEN = new_reviewer_token(b"\x02" * 32)
HASH = token_hash(TOKEN)


def test_what_is_written_is_read(tmp_path):
    assert read_reviewer_hash(tmp_path) is None
    write_reviewer_hash(tmp_path, HASH)
    assert read_reviewer_hash(tmp_path) == HASH
    other = token_hash("another")
    write_reviewer_hash(tmp_path, other)
    assert read_reviewer_hash(tmp_path) == other


@pytest.mark.abuse(128)
def test_the_token_itself_is_nowhere_in_the_directory(tmp_path):
    write_reviewer_hash(tmp_path, HASH)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files] == [REVIEWER_HASH_FILE]
    assert TOKEN not in files[0].read_text()
    assert files[0].stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="hash"):
        write_reviewer_hash(tmp_path, TOKEN)
    assert read_reviewer_hash(tmp_path) == HASH


@pytest.mark.abuse(128)
@pytest.mark.parametrize("mode", [0o660, 0o602, 0o644, 0o604])
def test_a_file_that_others_have_a_right_to_is_refused(tmp_path, mode):
    write_reviewer_hash(tmp_path, HASH)
    path = tmp_path / REVIEWER_HASH_FILE
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="user alone") as caught:
        read_reviewer_hash(tmp_path)
    assert "chmod 600" in caught.value.next_step
    path.chmod(0o600)
    assert read_reviewer_hash(tmp_path) == HASH


@pytest.mark.abuse(128)
def test_a_link_to_somewhere_else_is_not_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(HASH)
    elsewhere.chmod(0o600)
    (tmp_path / REVIEWER_HASH_FILE).symlink_to(elsewhere)
    with pytest.raises(ConfigurationError):
        read_reviewer_hash(tmp_path)
    write_reviewer_hash(tmp_path, HASH)
    assert read_reviewer_hash(tmp_path) == HASH
    assert elsewhere.read_text() == HASH
    assert not (tmp_path / REVIEWER_HASH_FILE).is_symlink()


@pytest.mark.parametrize("text", ["", TOKEN, "sha256:" + "A" * 64, HASH + HASH, "x" * 10_000, "\xff"])
def test_anything_but_a_hash_is_refused(tmp_path, text):
    path = tmp_path / REVIEWER_HASH_FILE
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        read_reviewer_hash(tmp_path)
    assert "toolgate reviewer new" in caught.value.next_step
    assert TOKEN not in caught.value.reason


def test_a_folder_in_its_place_is_refused(tmp_path):
    (tmp_path / REVIEWER_HASH_FILE).mkdir()
    with pytest.raises(ConfigurationError):
        read_reviewer_hash(tmp_path)
    with pytest.raises(ConfigurationError):
        write_reviewer_hash(tmp_path, HASH)


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / REVIEWER_HASH_FILE, 0o600)
    with pytest.raises(ConfigurationError):
        read_reviewer_hash(tmp_path)


def test_what_an_interrupted_start_left_is_in_nobodys_way(tmp_path):
    (tmp_path / f"{REVIEWER_HASH_FILE}.new").write_text("half")
    write_reviewer_hash(tmp_path, HASH)
    assert [path.name for path in tmp_path.iterdir()] == [REVIEWER_HASH_FILE]
