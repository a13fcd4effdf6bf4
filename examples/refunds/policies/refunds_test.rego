package toolgate.rules.refunds_test

import data.toolgate.rules.refunds
import rego.v1

call(tool, labels, arguments) := {
	"version": 1,
	"subject": {"id": "ana@example.com", "roles": ["support"]},
	"action": {"name": "tools/call"},
	"resource": {"type": "tool", "id": tool, "labels": labels},
	"tool": {"id": tool},
	"arguments": arguments,
}

refund(amount, currency) := call("payments/refund", [], {
	"order_id": "A-1001",
	"amount": amount,
	"currency": currency,
	"reason": "damaged",
})

stranger := {"subject": {"id": "eve@example.com", "roles": []}}

codes(rules) := {rule.code | some rule in rules}

test_reading_is_allowed_by_the_operators_list if {
	refunds.allow with input as call("orders/get_order", ["read_only"], {"order_id": "A-1001"})
	not refunds.allow with input as call("orders/get_order", [], {"order_id": "A-1001"})
}

test_a_note_is_allowed if {
	refunds.allow with input as call("orders/add_note", [], {"order_id": "A-1001", "text": "x"})
	refunds.hold == set() with input as call("orders/add_note", [], {"order_id": "A-1001", "text": "x"})
}

test_a_refund_up_to_the_limit_is_allowed if {
	every amount in [0.01, 49.9, 100] {
		refunds.allow with input as refund(amount, "EUR")
		refunds.deny == set() with input as refund(amount, "EUR")
		refunds.hold == set() with input as refund(amount, "EUR")
	}
}

test_a_refund_above_the_limit_is_held_for_the_refund_lead if {
	every amount in [100.01, 900, 1e9] {
		some rule in refunds.hold with input as refund(amount, "EUR")
		rule.code == "over_limit"
		rule.by == "refund-lead"
		rule.risk == "high"
	}
}

test_an_odd_amount_is_not_a_way_around_the_limit if {
	every amount in ["40", null, [40], {"value": 40}, true, -40, 0] {
		codes(refunds.hold) == {"over_limit"} with input as refund(amount, "EUR")
	}
}

test_a_missing_amount_is_not_a_way_around_the_limit if {
	codes(refunds.hold) == {"over_limit"} with input as call("payments/refund", [], {"currency": "EUR"})
	codes(refunds.hold) == {"over_limit"} with input as object.remove(refund(40, "EUR"), ["arguments"])
}

test_another_currency_is_denied if {
	every currency in ["USD", "eur", " EUR", "", null, ["EUR"]] {
		codes(refunds.deny) == {"foreign_currency"} with input as refund(40, currency)
	}
}

test_a_missing_currency_is_denied if {
	codes(refunds.deny) == {"foreign_currency"} with input as call("payments/refund", [], {"amount": 40})
}

test_a_stranger_may_do_nothing if {
	not refunds.allow with input as object.union(refund(40, "EUR"), stranger)
	not refunds.allow with input as object.union(call("orders/get_order", ["read_only"], {}), stranger)
	not refunds.allow with input as object.union(call("orders/add_note", [], {}), stranger)
}

test_another_tool_of_the_payment_provider_is_not_allowed if {
	not refunds.allow with input as call("payments/payout", [], {"amount": 40, "currency": "EUR"})
}

test_another_method_about_the_same_tool_is_not_allowed if {
	not refunds.allow with input as object.union(refund(40, "EUR"), {"action": {"name": "tasks/update"}})
}
