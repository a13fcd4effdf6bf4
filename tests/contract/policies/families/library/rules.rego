package toolgate.rules.library

import data.toolgate.lib

allow if lib.read_only

allow if lib.within(input.arguments.path, "/srv/data")

allow if lib.host_within(input.arguments.url, data.hosts)

deny contains {"code": "host", "message": lib.host(input.arguments.url)} if {
	lib.host(input.arguments.url)
	not lib.host_within(input.arguments.url, data.hosts)
	not lib.read_only
}

deny contains "path" if {
	startswith(input.arguments.path, "/srv")
	not lib.plain_path(input.arguments.path)
}

hold contains {"code": "mail", "why": lib.mail_domain(input.arguments.mail)} if not lib.mail_within(input.arguments.mail, data.hosts)

hold contains "strings" if lib.one_of("Stop", lib.strings_in(input.arguments))

hold contains "outside" if not lib.mail_within(input.arguments.mail, data.hosts)

hold contains "role" if {
	not lib.has_any_role({"admin", "ops"})
	lib.same(input.arguments.word, "URGENT")
}
