# What the support desk's agent may do. Save this file while the gateway runs: it takes effect at once.
package toolgate.rules.refunds

import data.toolgate.lib
import rego.v1

# In EUR. Up to this the agent pays by itself, above it a person agrees first.
refund_limit := 100

# Looking things up is allowed by the operator's list in toolgate.yaml (read_only), never by a server's own hints.
allow if {
	lib.calls_read_only
	lib.has_role("support")
}

allow if {
	takes_note
	lib.has_role("support")
}

allow if {
	pays_back
	lib.has_role("support")
}

takes_note if {
	lib.calls
	input.tool.id == "orders/add_note"
}

pays_back if {
	lib.calls
	input.tool.id == "payments/refund"
}

deny contains {
	"code": "foreign_currency",
	"message": "refunds are paid in EUR only; leave a note, and accounting pays other currencies",
} if {
	pays_back
	not in_euro
}

hold contains {
	"code": "over_limit",
	"by": "refund-lead",
	"why": sprintf("not clearly a refund of at most %v EUR", [refund_limit]),
	"risk": "high",
	"show": ["/amount", "/currency", "/order_id"],
	"ttl": "4h",
	"remind": "15m",
} if {
	pays_back
	not small
}

# Both say what may pass, and have a name, so that a missing or odd argument is no way around the rule:
# `input.arguments.amount > refund_limit` would say nothing about a refund without amount.
in_euro if input.arguments.currency == "EUR"

small if {
	is_number(input.arguments.amount)
	input.arguments.amount > 0
	input.arguments.amount <= refund_limit
}
