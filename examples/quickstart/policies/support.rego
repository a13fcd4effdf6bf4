# What the support desk's agent may do. Save this file while the gateway runs: it takes effect at once.
package toolgate.rules.support

import rego.v1

refund_limit := 100

# Reading is allowed, by the operator's list in toolgate.yaml (read_only), never by the server's own hints.
allow if {
	"support" in input.subject.roles
	"read_only" in input.resource.labels
}

allow if {
	input.tool.id == "orders/refund_order"
	"support" in input.subject.roles
}

allow if input.tool.id == "notes/print_notes"

deny contains {
	"code": "foreign_currency",
	"message": "refunds are paid in EUR only",
	"would_pass": "the same refund with currency EUR",
} if {
	input.tool.id == "orders/refund_order"
	object.get(input.arguments, "currency", "EUR") != "EUR"
}

hold contains {
	"code": "over_limit",
	"by": "refund-lead",
	"why": sprintf("above %v EUR", [refund_limit]),
	"risk": "high",
	"show": ["/amount"],
} if {
	input.tool.id == "orders/refund_order"
	input.arguments.amount > refund_limit
}
