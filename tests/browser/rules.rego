# What people at the company want to be asked about.
package toolgate.rules.company

import data.toolgate.lib
import rego.v1

allow if lib.calls_read_only

deny contains {
	"code": "no_drop",
	"message": "tables are not dropped by agents",
	"would_pass": "a statement without DROP",
} if {
	input.tool.id == "platform/run_sql"
	contains(lower(input.arguments.statement), "drop ")
}

hold contains {
	"code": "payment",
	"by": "refund-lead",
	"why": "money leaves an account of the company",
	"show": ["/to", "/amount", "/currency"],
	"remind": "30m",
} if {
	input.tool.id == "payments/pay"
}

hold contains {
	"code": "large_payment",
	"by": "refund-lead",
	"quorum": 2,
	"ttl": "2h",
	"risk": "high",
	"why": "two people look at payments above 5000",
	"show": ["/amount"],
} if {
	input.tool.id == "payments/pay"
	input.arguments.amount > 5000
}

hold contains {
	"code": "refund",
	"by": "refund-lead",
	"why": "money goes back to a customer",
	"show": ["/amount", "/order"],
	"ttl": "3h",
} if {
	input.tool.id == "payments/refund"
}

hold contains {
	"code": "limit",
	"by": "refund-lead",
	"risk": "high",
	"why": "a limit protects an account",
	"show": ["/account", "/limit"],
} if {
	input.tool.id == "payments/change_limit"
}

hold contains {
	"code": "mail_leaves",
	"by": ["refund-lead", "operator"],
	"risk": "low",
	"ttl": "1d",
	"why": "it is sent in the name of the company",
	"show": ["/to", "/subject"],
} if {
	input.tool.id == "mail/send_mail"
}

hold contains {
	"code": "private_and_untrusted_leave",
	"by": "refund-lead",
	"risk": "high",
	"why": "this agent has seen private data and text that nobody vouches for",
} if {
	input.tool.id == "mail/send_mail"
	{"private-data", "untrusted-content"} & {label | some label in input.context.session.labels} == {
		"private-data",
		"untrusted-content",
	}
}

hold contains {
	"code": "deletion",
	"by": ["operator", "refund-lead"],
	"quorum": 2,
	"risk": "high",
	"ttl": "1h",
	"why": "what is deleted is gone",
	"show": ["/repository", "/keep_backup"],
} if {
	input.tool.id == "platform/delete_repository"
}

hold contains {
	"code": "statement",
	"by": "operator",
	"ttl": "40m",
	"escalate": {"after": "20m", "to": "refund-lead"},
	"why": "a statement can change any row",
	"show": ["/statement", "/database"],
} if {
	input.tool.id == "platform/run_sql"
}

hold contains {
	"code": "publication",
	"by": "refund-lead",
	"risk": "low",
	"ttl": "2d",
	"on_approval": "grant",
	"why": "everybody can read it",
	"show": ["/title", "/text"],
} if {
	input.tool.id == "platform/publish"
}

hold contains {
	"code": "deployment",
	"by": "operator",
	"why": "machines run something else afterwards",
	"show": ["/release/version", "/targets/0/host", "/not/there"],
} if {
	input.tool.id == "platform/deploy"
}

hold contains {
	"code": "note",
	"by": "refund-lead",
	"why": "nobody knows what stands in it",
	"show": ["/text"],
} if {
	input.tool.id == "platform/file_note"
}

hold contains {
	"code": "restart",
	"by": ["refund-lead", "operator"],
	"why": "nothing runs meanwhile",
	"show": ["/why"],
} if {
	input.tool.id == "platform/restart"
}

hold contains {
	"code": "unlisted",
	"by": "refund-lead",
	"why": "no server lists it",
} if {
	input.action.name == "resources/read"
}
