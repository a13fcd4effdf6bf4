package toolgate.rules.roles

grants contains tool if {
	some role in input.subject.roles
	some tool in data.grants[role]
}

allow if input.tool.id in grants

allow if {
	input.tool.server == "docs"
	startswith(input.tool.name, "read_")
}

deny contains "suspended" if input.subject.id in data.suspended

deny contains {"code": "tenant", "message": sprintf("not for %v", [input.subject.tenant])} if {
	input.subject.tenant != "acme"
	not input.subject.tenant in {"globex", "initech"}
}

hold contains {"code": "second_pair", "by": approvers, "risk": "high"} if {
	input.tool.id in data.sensitive
	approvers := [role | some role in data.approvers; not role in input.subject.roles]
	count(approvers) > 0
}

hold contains "out_of_hours" if {
	hour := input.context.time.hour
	hour < 6
}

hold contains "out_of_hours" if input.context.time.hour >= 22
