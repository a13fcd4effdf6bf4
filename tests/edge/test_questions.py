"""What a tool server may ask of people and models on the agent's side: nothing, by default (abuse case 75)."""

from __future__ import annotations

import json

import pytest

from tests.edge.raw import PREFIX, legacy_message, modern_message

ASKABLE = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
FIELDS = {"type": "object", "properties": {"colour": {"type": "string"}}}
FORM = {"mode": "form", "message": "which?", "requestedSchema": FIELDS}
ADDRESS = {"mode": "url", "elicitationId": "1", "message": "log in", "url": "https://login.example/x"}
SAMPLE = {"messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}], "maxTokens": 5}
QUESTIONS = {
    "sampling/createMessage": (
        SAMPLE,
        {"role": "assistant", "content": {"type": "text", "text": "ho"}, "model": "m"},
    ),
    "elicitation/create": (FORM, {"action": "accept", "content": {"colour": "red"}}),
    "roots/list": ({}, {"roots": [{"uri": "file:///given"}]}),
}
TASKS = "io.modelcontextprotocol/tasks"


class Talk:
    """One call to a server that asks something, from either kind of agent; what both sides got to see."""

    def __init__(
        self,
        world,
        upstream,
        method,
        params,
        *,
        agent="modern",
        declared=ASKABLE,
        answer=None,
        arguments=None,
        who="ana",
    ):
        self.world, self.method, self.params, self.who = world, method, params, who
        self.answer = answer or {"action": "decline"}
        self.server = getattr(world, upstream)
        self.question = self.reply = None
        self.entries = len(world.gateway.records())
        with self.server.doing(tools_call=self._asks if self.server.modern else self._asks_meanwhile):
            call = {"name": f"{upstream}__get", "arguments": arguments or {}}
            (self._modern if agent == "modern" else self._legacy)(call, declared)

    def _asks(self, heard):
        if "inputResponses" in heard.params:
            self.reply = heard.params["inputResponses"]["a"]
            return {"content": []}
        asked = {"a": {"method": self.method, "params": self.params}}
        return {"resultType": "input_required", "inputRequests": asked, "requestState": "s"}

    def _asks_meanwhile(self, heard):
        found = heard.ask(self.method, self.params, wait_s=3) or {}
        self.reply = found.get("result", found.get("error"))
        return {"content": []}

    def _modern(self, call, declared):
        meta = {PREFIX + "clientCapabilities": declared}
        self.result = self.world.gateway.ask(modern_message(params=call, meta=meta), who=self.who).json
        asked = self.result.get("result", {}).get("inputRequests")
        if asked:
            ((key, self.question),) = asked.items()
            again = {
                "requestState": self.result["result"]["requestState"],
                "inputResponses": {key: self.answer},
            }
            again = modern_message(params=call | again, meta=meta)
            self.result = self.world.gateway.ask(again, who=self.who).json

    def _legacy(self, call, declared):
        gateway = self.world.gateway
        session, _ = gateway.initialize(capabilities=declared, who=self.who)
        with gateway.legacy_stream(legacy_message(params=call), session, who=self.who) as stream:
            found = stream.answer_or_event()
            if "method" in found:
                self.question = found
                answer = {"jsonrpc": "2.0", "id": found["id"], "result": self.answer}
                assert gateway.legacy(answer, session, who=self.who).status == 202
                found = stream.message()
        self.result = found

    def recorded(self, kind):
        """Entries of this kind since it began."""
        return [one for one in self.world.gateway.records()[self.entries :] if one["kind"] == kind]

    @property
    def codes(self):
        """Why questions were refused, as it was recorded."""
        return {record["code"] for record in self.recorded("input_request")}


ERAS = [(agent, server) for agent in ("modern", "legacy") for server in ("new", "old")]
UNGRANTED = {"new": "shy", "old": "mute"}


def refused(world, code, server, method, params, **rest):
    """Nobody is asked, the server is told or its call fails, and why is written down."""
    talk = Talk(world, server, method, params, **rest)
    assert talk.question is None, params
    if talk.server.modern:
        failure = talk.result["result"]["_meta"]["dev.toolgate/failure"]
        assert (failure["code"], talk.result["result"]["isError"]) == ("upstream_needs_input", True)
        assert talk.reply is None
    else:
        assert talk.reply["code"] == -32602, (params, talk.reply)
    assert talk.codes == {code}, params


@pytest.mark.parametrize(("agent", "server"), ERAS)
@pytest.mark.parametrize("method", QUESTIONS)
def test_what_is_granted_and_declared_is_asked_with_the_server_s_name(world, agent, server, method):
    params, answer = QUESTIONS[method]
    talk = Talk(world, server, method, params, agent=agent, answer=answer)
    assert talk.reply == answer
    assert talk.question["method"] == method
    if method == "elicitation/create":
        params = {**params, "message": f"{server}: which?"}
    assert talk.question["params"] == params
    assert "error" not in talk.result


@pytest.mark.abuse(75)
@pytest.mark.parametrize(("agent", "server"), ERAS)
@pytest.mark.parametrize("method", QUESTIONS)
def test_a_server_without_a_grant_asks_nobody(world, agent, server, method):
    shy = UNGRANTED[server]
    talk = Talk(world, shy, method, QUESTIONS[method][0], agent=agent)
    assert talk.question is None
    # It was not even told that there is somebody to ask.
    sent = [one for one in talk.server.requests[-4:] if one.method in {"initialize", "tools/call"}]
    assert not any(name in one.body.decode() for one in sent for name in ASKABLE)
    if talk.server.modern:
        assert talk.codes == {"input_not_granted"}
        assert talk.result["result"]["isError"]
    else:
        assert talk.reply["code"] < 0
    assert world.gateway.call(who="ben").status == 200


UNDECLARED = [
    ("sampling/createMessage", SAMPLE, {"elicitation": {}, "roots": {}}),
    ("sampling/createMessage", {**SAMPLE, "tools": []}, {"sampling": {}}),
    ("sampling/createMessage", {**SAMPLE, "toolChoice": {}}, {"sampling": {"context": {}}}),
    ("elicitation/create", FORM, {"sampling": {}, "roots": {}}),
    ("elicitation/create", FORM, {"elicitation": {"url": {}}}),
    ("elicitation/create", ADDRESS, {"elicitation": {}}),
    ("elicitation/create", ADDRESS, {"elicitation": {"form": {}}}),
    ("elicitation/create", {**ADDRESS, "mode": "URL"}, ASKABLE),
    ("elicitation/create", {**FORM, "mode": "hologram"}, ASKABLE),
    ("roots/list", {}, {"sampling": {}, "elicitation": {}}),
]


@pytest.mark.abuse(75)
@pytest.mark.parametrize(("agent", "server"), ERAS)
def test_a_client_is_not_asked_for_what_it_has_not_declared(world, agent, server):
    with world.gateway.unharmed_calls("capability_missing"):
        for method, params, declared in UNDECLARED:
            refused(world, "capability_missing", server, method, params, agent=agent, declared=declared)


def form(name, **about):
    return {
        "mode": "form",
        "message": "x",
        "requestedSchema": {"type": "object", "properties": {name: about}},
    }


SECRETS = [
    form("password"), form("Password"), form("user_password"), form("newPassword"), form("passphrase"), form("apiKey"),
    form("API-KEY"), form("access_token"), form("clientSecret"), form("private_key"), form("credentials"), form("cvv"),
    form("a", title="Your password"), form("a", title="API key"),
]  # fmt: skip
EVASIONS = [
    form("passwords"), form("userpassword"), form("PASSWORDS"), form("pwd"), form("client_secrets"), form("APIKeys"),
    form("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44"), form("p\u200bassword"), form("pass\u00adword"), form("pass-phrase"),
    form("a", type="string", format="password"), form("a", description="Type your password"),
    form("a", type="object", properties={"password": {"type": "string"}}), form("a", enumNames=["x"], title="Pass\u200bword"),
    form("pin"), form("otp"), form("creditCardNumber"), form("cvc"),
]  # fmt: skip
UNSHOWABLE = [
    {"mode": "form", "message": "x"}, {"mode": "form", "message": "x", "requestedSchema": []},
    {"mode": "form", "message": "x", "requestedSchema": {"properties": []}}, {"mode": "form", "message": "x", "requestedSchema": "x"},
]  # fmt: skip
ADDRESSES = [
    "javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "file:///etc/passwd",
    "vbscript:x", "blob:https://a", "about:blank", "ftp://a/b", "//evil.example/", "https:evil", "http://", "http:///x", "https://good@evil.example/",
    "https://good.example\\@evil.example/", "https://evil.example/\u202egpj", "https://evil.example/a b", "https://[::1", "http://[x]/", "", None, 5, ["https://a"],
]  # fmt: skip


@pytest.mark.abuse(75)
@pytest.mark.parametrize(("agent", "server"), ERAS)
def test_a_form_for_secrets_is_shown_to_nobody(world, agent, server):
    with world.gateway.unharmed_calls("secret_field"):
        for params in SECRETS:
            refused(world, "secret_field", server, "elicitation/create", params, agent=agent)
    for name in (
        "colour",
        "compass",
        "passenger",
        "secretary",
        "keyboard",
        "max_tokens",
        "pinned",
        "tokenizer",
    ):
        talk = Talk(world, server, "elicitation/create", form(name), agent=agent)
        assert talk.reply == {"action": "decline"}, name


@pytest.mark.abuse(75)
@pytest.mark.parametrize("params", EVASIONS, ids=lambda one: ascii(one["requestedSchema"]["properties"])[:60])
def test_a_form_for_secrets_in_other_words_is_shown_to_nobody(world, params):
    refused(world, "secret_field", "new", "elicitation/create", params)


@pytest.mark.abuse(75)
@pytest.mark.parametrize(("agent", "server"), ERAS)
def test_a_form_that_is_none_is_shown_to_nobody(world, agent, server):
    with world.gateway.unharmed_calls("unfit_form"):
        for params in UNSHOWABLE:
            refused(world, "unfit_form", server, "elicitation/create", params, agent=agent)


@pytest.mark.abuse(75)
@pytest.mark.parametrize(("agent", "server"), ERAS)
def test_an_address_that_is_no_plain_one_of_the_web_is_shown_to_nobody(world, agent, server):
    with world.gateway.unharmed_calls("unfit_url"):
        for url in ADDRESSES:
            refused(world, "unfit_url", server, "elicitation/create", {**ADDRESS, "url": url}, agent=agent)
    for url in ("https://login.example/x?y=z#w", "http://localhost:8000/"):
        talk = Talk(world, server, "elicitation/create", {**ADDRESS, "url": url}, agent=agent)
        assert talk.question["params"]["url"] == url
        assert talk.question["params"]["message"] == f"{server}: log in"


@pytest.mark.abuse(75)
@pytest.mark.parametrize(("agent", "server"), ERAS)
def test_a_mode_that_is_no_text_is_refused_like_any_other(world, agent, server):
    entries = len(world.gateway.records())
    with world.gateway.unharmed_calls():
        for mode in (None, 5, True, ["url"], {}):
            talk = Talk(world, server, "elicitation/create", {**ADDRESS, "mode": mode}, agent=agent)
            assert talk.question is None
            assert talk.codes & {"capability_missing", "unfit_form", "unfit_url"}, mode
            assert "result" in talk.result

    def calls(kind):
        return {one["call"] for one in world.gateway.records()[entries:] if one["kind"] == kind}

    # What was begun has an end in the log.
    assert calls("intent")
    world.gateway.until(lambda: calls("intent") <= calls("outcome"), within_s=3)


@pytest.mark.abuse(75)
@pytest.mark.parametrize(("agent", "server"), ERAS)
def test_a_question_that_could_not_say_whose_it_is_is_shown_to_nobody(world, agent, server):
    silent = {name: value for name, value in FORM.items() if name != "message"}
    for params in (
        silent,
        *({**silent, "message": odd} for odd in (["which?"], {"text": "which?"}, 5, None)),
    ):
        refused(world, "unfit_form", server, "elicitation/create", params, agent=agent)


@pytest.mark.abuse(75)
@pytest.mark.parametrize("agent", ["modern", "legacy"])
def test_what_is_granted_still_needs_policy(world, agent):
    with world.gateway.unharmed_calls("not_asked"):
        refused(world, "not_asked", "hasty", "roots/list", {}, agent=agent)


NO_QUESTIONS = [
    "tools/call",
    "resources/read",
    "x/y",
    "",
    "initialize",
    "notifications/message",
    "ELICITATION/CREATE",
]


@pytest.mark.abuse(25)
@pytest.mark.abuse(75)
@pytest.mark.parametrize("agent", ["modern", "legacy"])
def test_what_no_server_can_ask_is_put_to_nobody(world, agent):
    with world.gateway.unharmed_calls("unknown_method"):
        for method in NO_QUESTIONS:
            refused(world, "unknown_method", "new", method, {"name": "get", "arguments": {}}, agent=agent)


@pytest.mark.abuse(75)
@pytest.mark.parametrize(
    ("method", "told"), [("elicitation/create", {"action": "cancel"}), ("sampling/createMessage", None)]
)
def test_an_agent_that_is_silent_keeps_a_call_open_as_long_as_its_server_s_settings_say(world, method, told):
    asked = {"a": {"method": method, "params": QUESTIONS[method][0]}}

    def asks(heard):
        if "inputResponses" in heard.params:
            return {"content": [{"type": "text", "text": json.dumps(heard.params["inputResponses"])}]}
        return {"resultType": "input_required", "inputRequests": asked, "requestState": "s"}

    session, _ = world.gateway.initialize(capabilities=ASKABLE)
    call = legacy_message(params={"name": "hasty__get", "arguments": {}})
    with world.gateway.unharmed_calls(), world.hasty.doing(tools_call=asks):
        with world.gateway.legacy_stream(call, session) as stream:
            assert stream.message()["method"] == method
            # A second, for this server. That the question is taken back may be said first.
            found = stream.message(wait_s=5)
            if found is not None and found.get("method") == "notifications/cancelled":
                found = stream.message(wait_s=5)
        assert found is not None
        if told is None:
            assert found["result"]["_meta"]["dev.toolgate/failure"]["code"] == "upstream_needs_input"
        else:
            assert json.loads(found["result"]["content"][0]["text"]) == {"a": told}


@pytest.mark.abuse(75)
def test_questions_are_counted(world):
    asked = {f"a{number}": {"method": "roots/list", "params": {}} for number in range(33)}
    many = {"resultType": "input_required", "inputRequests": asked, "requestState": "s"}
    meta = {PREFIX + "clientCapabilities": ASKABLE}
    call = modern_message(params={"name": "new__get", "arguments": {}}, meta=meta)
    with world.gateway.unharmed_calls("upstream_garbled"), world.new.doing(tools_call=many):
        assert world.gateway.ask(call).result["_meta"]["dev.toolgate/failure"]["code"] == "upstream_garbled"
    asked.popitem()
    with world.new.doing(tools_call=many):
        assert len(world.gateway.ask(call).result["inputRequests"]) == 32
