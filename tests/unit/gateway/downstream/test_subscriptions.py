"""Who hears of which resource; and when an upstream is told that nobody does any more."""

from __future__ import annotations

from gateway.downstream.subscriptions import Subscriptions


class Ear:
    def __init__(self):
        self.heard = []

    def resource_updated(self, uri):
        self.heard.append(uri)


def test_only_those_who_subscribed_hear_and_the_last_one_ends_it():
    ended = []
    subscriptions = Subscriptions(lambda *key: ended.append(key))
    one, other = Ear(), Ear()
    subscriptions.add("orders", "a:1", one)
    subscriptions.add("orders", "a:1", one)
    subscriptions.add("orders", "a:1", other)
    subscriptions.add("notes", "a:1", other)
    subscriptions.updated("orders", "a:1")
    assert (one.heard, other.heard) == (["a:1"], ["a:1"])
    subscriptions.drop(one, [("orders", "a:1"), ("orders", "a:2")])
    assert ended == []
    subscriptions.updated("orders", "a:1")
    assert (len(one.heard), len(other.heard)) == (1, 2)
    subscriptions.drop(other, [("orders", "a:1")])
    assert ended == [("orders", "a:1")]
    subscriptions.updated("orders", "a:1")
    subscriptions.updated("never", "heard:of")
    assert len(other.heard) == 2
