"""The only outgoing HTTP client.

It follows no redirect, keeps no cookie, reads no proxy variable, unpacks nothing, and pins each
host's address. Every failure says whether the request may have left: a connection that was never
established carried nothing; after that, nobody on this side can know.
"""

from gateway.egress.answer import HttpAnswer
from gateway.egress.client import Egress, EgressSettings
from gateway.egress.destination import Destination

__all__ = ["Destination", "Egress", "EgressSettings", "HttpAnswer"]
