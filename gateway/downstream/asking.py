"""Questions to an agent of the session era, on the stream of its own request; and its responses."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.bridge.inputs import InputAnswer, answer_problem
from gateway.downstream.sessions import Question
from gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from gateway.bridge.inputs import InputAsk
    from gateway.downstream.exchange import Exchange
    from gateway.downstream.message import Response
    from gateway.downstream.sessions import Session
    from gateway.ports import AskSink

ANSWER_S = 600.0
"""For an agent's side to answer; what asked has a shorter limit of its own as a rule."""

_encode = msgspec.json.Encoder().encode
_numbers = itertools.count(1)


def ask_sink(session: Session, exchange: Exchange) -> AskSink:
    """Puts questions to the client of a session while one of its requests is open."""

    async def ask(question: InputAsk) -> InputAnswer:
        request_id = f"toolgate-{next(_numbers)}"
        waiting: asyncio.Future[InputAnswer] = asyncio.get_running_loop().create_future()
        asked = session.asked = {} if session.asked is None else session.asked
        asked[request_id] = Question(question.method, waiting)
        message = {
            "jsonrpc": "2.0",
            "id": request_id,
            "method": question.method,
            "params": msgspec.Raw(question.raw),
        }
        try:
            if not await exchange.notify(_encode(message)):
                return _unanswered("the client cannot be asked: it takes no stream, or has gone")
            async with asyncio.timeout(ANSWER_S):
                return await waiting
        except TimeoutError:
            return _unanswered("the client did not answer in time")
        except asyncio.CancelledError:
            # Whoever asked wants to know no more.
            await exchange.notify(_encode(_withdrawn(request_id)))
            raise
        finally:
            asked.pop(request_id, None)
            if not asked:
                session.asked = None

    return ask


def _withdrawn(request_id: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request_id}}


def take_response(session: Session, response: Response) -> None:
    """Hand a response to whoever asked.

    Raises:
        InvalidRequest: nothing of that id was asked in this session, or it is no answer to it.
    """
    asked = (session.asked or {}).get(response.id)
    if asked is None or asked.waiting.done():
        raise InvalidRequest("a response to nothing that was asked")
    if response.answer.result is not None:
        problem = answer_problem(asked.method, response.value)
        if problem:
            asked.waiting.set_result(_unanswered(f"its answer {problem}"))
            raise InvalidRequest(f"the result {problem}")
    asked.waiting.set_result(response.answer)


def _unanswered(reason: str) -> InputAnswer:
    return InputAnswer(error=_encode({"code": -32603, "message": reason}))
