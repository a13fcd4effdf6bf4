"""Spans and durations by the OpenTelemetry MCP conventions, configured only by ``OTEL_*`` variables.

Without such a variable nothing of OpenTelemetry is imported and a call costs one log line at most.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Histogram
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

    from gateway.core.principal import Caller
    from gateway.ports import CallEnd

_logger = logging.getLogger("toolgate")

SWITCHES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
)
DURATION = "mcp.server.operation.duration"
FLUSH_S = 4.0
"""What is left may take this long to leave at the end. A collector that is down would take half a minute."""

# Bucket bounds of the MCP semantic conventions, in seconds.
_BOUNDS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)


class CallLog:
    """One structured log line for each call: refusals and failures at info, the rest at debug.

    The audit log is the record; these lines are for whoever watches the process, and carry the call id
    and the sequence number that lead there.
    """

    def call_started(self, method: str, target: str, caller: Caller) -> Any:
        """Nothing to begin."""

    def outgoing(self, span: Any, caller: Caller) -> Mapping[str, str]:
        """The agent's own trace context, passed on."""
        return dict(caller.trace)

    def call_ended(self, span: Any, end: CallEnd) -> None:
        """Write the line."""
        level = logging.INFO if end.error_type else logging.DEBUG
        if _logger.isEnabledFor(level):
            members = {
                "call": end.call_id,
                "seq": end.seq,
                "target": end.target,
                "effect": end.effect,
                "code": end.error_type,
                "ms": round(end.seconds * 1000, 1),
            }
            _logger.log(level, "call ended", extra=members)

    def close(self) -> None:
        """Nothing to flush."""


class OtelTelemetry(CallLog):
    """Beside the log line: spans ``{method} {tool}`` and the operation duration histogram."""

    def __init__(
        self, tracer: Tracer, duration: Histogram, providers: tuple[TracerProvider, MeterProvider]
    ) -> None:
        """Take the SDK's parts; ``telemetry_from`` makes them."""
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer = tracer
        self._duration = duration
        self._providers = providers
        self._propagator = TraceContextTextMapPropagator()
        self.failures = 0

    def call_started(self, method: str, target: str, caller: Caller) -> Any:
        """Begin a server span as a child of the agent's trace context, if it sent one."""
        from opentelemetry.trace import SpanKind

        attributes = {
            "mcp.method.name": method,
            "mcp.protocol.version": caller.protocol_version,
        }
        attributes |= _about(method, target)
        try:
            parent = self._propagator.extract(dict(caller.trace)) if caller.trace else None
            span = self._tracer.start_span(_span_name(method, target), parent, SpanKind.SERVER, attributes)
            if caller.session_id:
                span.set_attribute("mcp.session.id", caller.session_id)
        except Exception:  # noqa: BLE001  telemetry fails open
            self._failed()
            return None
        return span, attributes

    def outgoing(self, span: Any, caller: Caller) -> Mapping[str, str]:
        """Our span as the parent of whatever the upstream does."""
        from opentelemetry.trace import set_span_in_context

        carrier: dict[str, str] = {}
        if span is None:
            return dict(caller.trace)
        try:
            self._propagator.inject(carrier, set_span_in_context(span[0]))
        except Exception:  # noqa: BLE001  telemetry fails open
            self._failed()
        return carrier

    def call_ended(self, span: Any, end: CallEnd) -> None:
        """End the span and count the duration."""
        super().call_ended(span, end)
        if span is None:
            return
        started, attributes = span
        if end.error_type:
            attributes = {**attributes, "error.type": end.error_type}
        try:
            started.set_attribute("toolgate.call.id", end.call_id)
            started.set_attribute("toolgate.audit.seq", end.seq)
            started.set_attribute("toolgate.decision.effect", end.effect)
            if end.error_type:
                started.set_attribute("error.type", end.error_type)
            started.end()
            self._duration.record(end.seconds, attributes)
        except Exception:  # noqa: BLE001  telemetry fails open
            self._failed()

    def _failed(self) -> None:
        self.failures += 1
        if self.failures == 1:
            _logger.warning("telemetry failed and goes on failing open; calls are not affected")

    def close(self) -> None:
        """Flush what is left, for at most ``FLUSH_S``."""
        # In threads, because a shutdown waits out its exporter's retries and cannot be told how long.
        flushing = [threading.Thread(target=provider.shutdown, daemon=True) for provider in self._providers]
        for thread in flushing:
            thread.start()
        for thread in flushing:
            thread.join(FLUSH_S / len(flushing))


def _about(method: str, target: str) -> dict[str, str]:
    """What the conventions say of a method's target. A URI may hold a secret, so it is left out."""
    if method == "tools/call":
        return {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": target}
    return {"gen_ai.prompt.name": target} if method == "prompts/get" else {}


def _span_name(method: str, target: str) -> str:
    return f"{method} {target}" if method in {"tools/call", "prompts/get"} else method


def telemetry_from(environ: Mapping[str, str], *, version: str) -> CallLog:
    """Telemetry as the standard variables ask for it; off when none is set."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not any(
        environ.get(name) for name in SWITCHES
    ):
        return CallLog()
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # Resource.create reads OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, which win over our default.
    resource = Resource({"service.name": "toolgate", "service.version": version}).merge(Resource.create())
    if not environ.get("OTEL_SERVICE_NAME") and "service.name" not in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        resource = resource.merge(Resource({"service.name": "toolgate"}))
    traces = TracerProvider(resource=resource, shutdown_on_exit=False)
    span_exporter = _exporter(environ.get("OTEL_TRACES_EXPORTER", "otlp"), _otlp_spans, _console_spans)
    if span_exporter is not None:
        traces.add_span_processor(BatchSpanProcessor(span_exporter))
    metric_exporter = _exporter(environ.get("OTEL_METRICS_EXPORTER", "otlp"), _otlp_metrics, _console_metrics)
    readers = [PeriodicExportingMetricReader(metric_exporter)] if metric_exporter is not None else []
    metrics = MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
    duration = metrics.get_meter("toolgate", version).create_histogram(
        DURATION,
        unit="s",
        description="Duration of an MCP operation as seen by the gateway",
        explicit_bucket_boundaries_advisory=list(_BOUNDS_S),
    )
    return OtelTelemetry(traces.get_tracer("toolgate", version), duration, (traces, metrics))


def _exporter(name: str, otlp: Callable[[], Any], console: Callable[[], Any]) -> Any:
    if name == "none":
        return None
    if name == "console":
        return console()
    if name != "otlp":
        _logger.warning(
            "unknown OpenTelemetry exporter %r; otlp, console and none are known; using otlp", name
        )
    return otlp()


def _otlp_spans() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _otlp_metrics() -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter()


def _console_spans() -> Any:
    import sys

    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    return ConsoleSpanExporter(out=sys.stderr)


def _console_metrics() -> Any:
    import sys

    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

    return ConsoleMetricExporter(out=sys.stderr)
