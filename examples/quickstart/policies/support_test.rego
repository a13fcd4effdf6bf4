package toolgate.rules.support_test

import data.toolgate.rules.support
import rego.v1

refund(amount, currency) := {
	"subject": {"roles": ["support"]},
	"resource": {"labels": []},
	"tool": {"id": "orders/refund_order"},
	"arguments": {"order_id": "A-1001", "amount": amount, "currency": currency},
}

test_small_refund_is_allowed if {
	support.allow with input as refund(40, "EUR")
	count(support.deny) == 0 with input as refund(40, "EUR")
	count(support.hold) == 0 with input as refund(40, "EUR")
}

test_large_refund_is_held if {
	some rule in support.hold with input as refund(900, "EUR")
	rule.code == "over_limit"
}

test_foreign_currency_is_denied if {
	some rule in support.deny with input as refund(40, "USD")
	rule.code == "foreign_currency"
}

test_stranger_is_not_allowed if {
	not support.allow with input as object.union(refund(40, "EUR"), {"subject": {"roles": []}})
}
