"""Settings: where messages may go, and what must never be shown."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

from gateway.webhooks.message import _HEADS, EventKind
from gateway.webhooks.settings import Webhooks, WebhookSettings, wanted_by
from tests.unit.gateway.webhooks.stand_ins import KEY, OTHER_SECRET, SECRET, hook


class Holder(BaseModel):
    webhooks: Webhooks = {}


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/in?a=b",
        "https://hooks.example:8443",
        "https://192.0.2.7/in",
        "https://[2001:db8::7]/in",
        "https://10.1.2.3/in",
        "http://localhost:9000/in",
        "http://127.0.0.1:9000/in",
        "http://[::1]:9000/in",
    ],
)
def test_https_goes_anywhere_and_http_stays_on_this_machine(url):
    assert hook(url).url == url


@pytest.mark.abuse(102)
@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/in",
        "http://10.1.2.3/in",
        "http://localhost.evil.example/in",
        "http://127.0.0.1@evil.example/in",
        "https://good.example\\@evil.example/in",
        "http://0177.0.0.1/in",
        "http://2130706433/in",
        "http://0x7f000001/in",
        "http://127.1/in",
        "https://0x7f.1/in",
        "https://3232235777/in",
        "https://127.0.0.0x1/in",
        "http://[::ffff:127.0.0.1]/in",
        "https://[::ffff:169.254.169.254]/in",
        "https://169.254.169.254/latest",
        "https://[fe80::1]/in",
        "https://0.0.0.0/in",
        "https://[::]/in",
        "https://224.0.0.1/in",
        "http://127。0。0。1/in",
        "https://hooks.example/in#part",
        "https://hooks.example:0/in",
        "https://hooks.example:99999/in",
        "https://hooks.example/a b",
        "https://hooks.example/in\n",
        "https:///in",
        "https://./in",
        "https://a..b/in",
        "HTTPS://hooks.example/in",
        "ftp://hooks.example/in",
        "file:///etc/passwd",
        "hooks.example/in",
    ],
)
def test_disguised_local_and_malformed_addresses_are_refused(url):
    with pytest.raises(ValidationError):
        hook(url)
    assert hook("https://hooks.example/in")


def test_the_standard_form_needs_a_secret_and_a_chat_does_not():
    with pytest.raises(ValidationError, match="needs `secret"):
        hook(secret=None)
    assert hook(secret=None, form="chat").keys == ()
    assert hook().keys == (KEY,)
    assert len(hook(previous_secret=OTHER_SECRET).keys) == 2


@pytest.mark.parametrize(
    "members", [{"previous_secret": SECRET}, {"form": "chat", "secret": None, "previous_secret": SECRET}]
)
def test_a_previous_secret_is_another_one_than_the_present(members):
    with pytest.raises(ValidationError, match="previous_secret"):
        hook(**members)


@pytest.mark.abuse(114)
def test_neither_secret_nor_address_is_shown():
    built = hook("https://hooks.example/T000/canary-path", previous_secret=OTHER_SECRET)
    for text in (repr(built), str(built), f"{Holder(webhooks={'ops': built})!r}"):
        assert "canary-path" not in text
        assert SECRET not in text
        assert OTHER_SECRET not in text
    assert "standard" in repr(built)


@pytest.mark.abuse(114)
@pytest.mark.parametrize(
    "members",
    [
        {"secret": "whsec_canary"},
        {"url": "https://user:canary@hooks.example/"},
        {"url": "http://hooks.example/canary"},
        {"canary": SECRET},
        {"form": "carrier pigeon"},
    ],
)
def test_a_complaint_repeats_no_value(members):
    with pytest.raises(ValidationError) as caught:
        WebhookSettings(**{"url": "https://hooks.example/in", "secret": SECRET} | members)
    said = str(caught.value).replace("canary\n", "")  # the name of the unknown member
    assert "canary" not in said
    assert SECRET not in said
    assert "pigeon" not in said


@pytest.mark.abuse(108)
def test_two_receivers_never_share_a_secret():
    with pytest.raises(ValidationError, match="every receiver needs its own"):
        Holder(webhooks={"ops": hook(), "more": hook(secret=OTHER_SECRET, previous_secret=SECRET)})
    assert len(Holder(webhooks={"ops": hook(), "more": hook(secret=OTHER_SECRET)}).webhooks) == 2


@pytest.mark.parametrize("name", ["ops", "Ops-2", "a_b"])
def test_a_receiver_has_a_plain_name(name):
    assert Holder(webhooks={name: hook()}).webhooks
    with pytest.raises(ValidationError):
        Holder(webhooks={f"{name}:x": hook()})


def test_unknown_settings_and_events_are_refused():
    with pytest.raises(ValidationError):
        hook(urls="https://hooks.example/")
    with pytest.raises(ValidationError):
        hook(events=("held", "everything"))
    with pytest.raises(ValidationError):
        hook(events=())


def test_a_receiver_is_told_what_it_asked_for_of_the_tenants_it_names():
    hooks = {
        "ops": hook(),
        "acme": hook(tenants=("acme",)),
        "all": hook(events=("succeeded", "held")),
    }
    assert wanted_by(hooks, "held", "acme") == ("ops", "acme", "all")
    assert wanted_by(hooks, "held", "other") == ("ops", "all")
    assert wanted_by(hooks, "succeeded", "acme") == ("all",)
    assert wanted_by(hooks, "let_go", "acme") == ()


def test_every_event_has_words():
    assert set(_HEADS) == set(get_args(EventKind))
