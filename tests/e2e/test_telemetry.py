"""OpenTelemetry by the standard variables; and that calls do not depend on it."""

from __future__ import annotations

import json

import pytest
from e2e_kit.gateways import ANA
from e2e_kit.ports import free_port
from e2e_kit.waiting import until

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def objects(text):
    """Every JSON object in a text, indented ones too."""
    decoder, found, at = json.JSONDecoder(), [], text.find("{")
    while at >= 0:
        try:
            value, at = decoder.raw_decode(text, at)
            found.append(value)
        except ValueError:
            at += 1
        at = text.find("{", at)
    return found


@pytest.fixture
def upstreams(http_servers):
    return {"tools": {"url": http_servers["modern"].url}}


def test_a_call_is_a_span_and_a_duration_by_the_mcp_conventions(gateway, upstreams):
    environ = {
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_METRICS_EXPORTER": "console",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_SERVICE_NAME": "gate-7",
    }
    made = gateway(upstreams=upstreams, environ=environ).start()
    made.offers("tools__echo")
    made.call("tools__echo", {"text": "traced"}, meta={"traceparent": PARENT})
    made.call("tools__fail", {"reason": "on purpose"})
    assert made.stop() == 0
    found = objects(made.stderr)
    spans = {one["name"]: one for one in found if "context" in one and "name" in one}
    span = spans["tools/call tools/echo"]
    assert span["context"]["trace_id"] == "0x0af7651916cd43dd8448eb211c80319c"
    assert span["parent_id"] == "0xb7ad6b7169203331"
    assert span["kind"] == "SpanKind.SERVER"
    attributes = span["attributes"]
    assert attributes["mcp.method.name"] == "tools/call"
    assert attributes["gen_ai.operation.name"] == "execute_tool"
    assert attributes["gen_ai.tool.name"] == "tools/echo"
    assert attributes["mcp.protocol.version"] == "2026-07-28"
    assert "error.type" not in attributes
    assert spans["tools/call tools/fail"]["attributes"]["error.type"] == "tool_error"
    assert span["resource"]["attributes"]["service.name"] == "gate-7"
    metrics = [
        metric
        for one in found
        for resource in one.get("resource_metrics", [])
        for scope in resource["scope_metrics"]
        for metric in scope["metrics"]
    ]
    duration = next(metric for metric in metrics if metric["name"] == "mcp.server.operation.duration")
    assert duration["unit"] == "s"
    assert sum(point["count"] for point in duration["data"]["data_points"]) == 2


def test_with_an_endpoint_that_is_dead_calls_work_and_the_end_is_not_held_up(gateway, upstreams):
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    made = gateway(upstreams=upstreams, environ=environ).start()
    made.offers("tools__echo")
    for number in range(20):
        assert not made.call("tools__echo", {"text": str(number)}).json["result"].get("isError")
    assert made.stop(within_s=12) == 0
    assert len(made.entries("intent")) == 20


def test_without_such_a_variable_there_are_no_spans_but_a_log_line_for_a_call_that_went_wrong(
    gateway, upstreams
):
    made = gateway(upstreams=upstreams).start()
    made.offers("tools__fail")
    made.call("tools__fail", {"reason": "a secret argument"})
    intent = made.entries("intent")[-1]

    def line():
        lines = [json.loads(one) for one in made.stderr.splitlines() if one.startswith("{")]
        return next((one for one in lines if one.get("call") == intent["call"]), None)

    logged = until(line, lambda: f"no log line names the call: {made.stderr}")
    assert (logged["seq"], logged["target"], logged["code"]) == (intent["seq"], "tools/fail", "tool_error")
    assert "a secret argument" not in made.stderr
    assert "trace_id" not in made.stderr
    assert ANA not in made.stderr
