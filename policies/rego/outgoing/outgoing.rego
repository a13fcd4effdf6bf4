# Beside any policy: nothing leaves the organisation without a person once an agent has seen both what is private
# and what anybody may have written. Copy this folder next to your rules and say in its data.yaml which tools send
# something out, and which bring something in.
#
# An agent is not asked what it has seen: the gateway labels its session by the results that it was given, and the
# labels stay until the session has not been used for an hour. Reading a secret first and sending it out three
# calls later is one session, whatever each call looks like by itself.
#
# Only holds are added here. A hold wins over what other rules allow, the read-only list included: a tool that only
# reads a web page sends out whatever stands in the address.
package toolgate.rules.outgoing

import data.toolgate.lib
import rego.v1

hold contains {
	"code": "private_and_untrusted_leave",
	"by": "reviewer",
	"why": "this agent has seen private data and text that nobody vouches for, and the call leaves the organisation",
	"risk": "high",
} if {
	lib.calls
	both_seen(input)
	leaves(input, data.outgoing)
}

on_result contains {"code": "from_anybody", "do": "label", "kind": "untrusted-content"} if {
	lib.calls
	named(input.tool.id, data.outgoing.untrusted)
}

on_result contains {"code": "about_people", "do": "label", "kind": "private-data"} if {
	lib.calls
	named(input.tool.id, data.outgoing.private)
}

both_seen(request) if {
	labelled(request, "untrusted-content")
	private(request)
}

private(request) if labelled(request, "private-data")

private(request) if labelled(request, "secret-seen")

labelled(request, label) if request.context.session.labels[_] == label

named(tool, tools) if tools[_] == tool

# The tool can send something out, and this call is not clearly one that stays.
leaves(request, outgoing) if {
	outgoing.leaves[request.tool.id]
	not stays(request, outgoing)
}

stays(request, outgoing) if {
	arguments := outgoing.leaves[request.tool.id]
	says_where(request, arguments)
	every name in object.get(arguments, "mail", []) {
		mail_inside(object.get(request.arguments, name, null), outgoing.inside)
	}
	every name in object.get(arguments, "url", []) {
		url_inside(object.get(request.arguments, name, null), outgoing.inside)
	}
}

says_where(request, arguments) if {
	some form in ["mail", "url"]
	some name in arguments[form]
	count(lib.strings_in({"said": request.arguments[name]})) > 0
}

# One address, a list of them, or none; whatever else it is has not been understood.
mail_inside(said, domains) if lib.mail_within(said, domains)

mail_inside(said, domains) if {
	is_array(said)
	every one in said {
		lib.mail_within(one, domains)
	}
}

mail_inside(said, _) if said == null

url_inside(said, domains) if lib.host_within(said, domains)

url_inside(said, domains) if {
	is_array(said)
	every one in said {
		lib.host_within(one, domains)
	}
}

url_inside(said, _) if said == null
