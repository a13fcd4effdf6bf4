# Functions for rules. Import them with: import data.toolgate.lib
#
# Attackers spell one thing in many ways. The functions here compare what is meant, and are undefined
# or false for what is not clearly understood. So use them to say what may pass, give that a name, and
# deny what is not so named (`not` before a call would be undefined for a missing argument):
#
#     deny contains "path" if not in_our_folder
#     in_our_folder if lib.within(input.arguments.path, "/srv/data")
#
# Rego cannot compose Unicode (NFC): "é" as one character and as "e" with an accent stay different. A list
# of what is allowed is safe from that, a list of what is forbidden is not.
#
# Nothing here uses the operator `in`: regopy 1.5.2 crashes on it below a `with`, and tests need `with`.
package toolgate.lib

import rego.v1

# The tool is on the operator's read-only list (configuration, never the server's own claim).
read_only if input.resource.labels[_] == "read_only"

# The request calls a tool.
calls if input.action.name == "tools/call"

# It calls a tool that is on the operator's read-only list.
calls_read_only if {
	calls
	read_only
}

# It reads what a server offers for reading: a prompt, a resource, a completion, changes of a resource.
reads if _reading[input.action.name]

_reading := {"prompts/get", "resources/read", "resources/subscribe", "completion/complete"}

# It follows, feeds or ends a task that the same principal began with a call.
follows_task if input.resource.type == "task"

# A server asks something of the agent's side, which the operator's configuration grants it.
asked_by_server if input.resource.type == "agent"

# The resource is one that its server lists, or that a template of it stands for.
listed if {
	input.resource.type == "resource"
	not _unlisted
}

_unlisted if input.resource.labels[_] == "unlisted"

# The subject has this role.
has_role(role) if input.subject.roles[_] == role

# The subject has at least one of these roles (array or set).
has_any_role(roles) if {
	some role in roles
	has_role(role)
}

# Lower case, without white space around it.
fold(text) := lower(trim_space(text))

# Both texts mean the same name, whatever their case and surrounding white space.
same(a, b) if fold(a) == fold(b)

# The text is one of these names (array or set), whatever its case and surrounding white space.
one_of(text, names) if {
	some name in names
	same(text, name)
}

# Every string inside a value, however deep: keys of objects are not included.
strings_in(value) := {text |
	walk(value, [_, text])
	is_string(text)
}

# The path lies at or below the folder `root`. Both use "/"; upper and lower case differ.
# False for anything that could mean another place: "..", ".", "//", backslashes, percent signs,
# "~" in front, control characters, and names ending in a dot or space, which Windows drops.
within(path, root) if {
	plain_path(path)
	base := trim_suffix(root, "/")
	_at_or_below(path, base)
}

_at_or_below(path, base) if path == base

_at_or_below(path, base) if startswith(path, concat("", [base, "/"]))

# The path has one reading only: names joined by single slashes.
plain_path(path) if {
	is_string(path)
	not regex.match(`[\x00-\x1f\x7f\\%]|^~|//`, path)
	not regex.match(`(^|/)[^/]*[. ](/|$)`, path)
}

# The lower-case host of a URL, without port and without a dot at its end. Undefined for a URL that
# holds a user name, a backslash, white space, an encoded host, or no host.
host(url) := trim_suffix(lower(found[0][1]), ".") if {
	found := regex.find_all_string_submatch_n(
		`^[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][^\x00-\x20\x7f\\]*)?$`,
		url, 1,
	)
	count(found) == 1
}

# The URL's host is one of these domains (array or set) or below one of them.
host_within(url, domains) if {
	some domain in domains
	_domain_within(host(url), lower(domain))
}

# The lower-case domain of one plain e-mail address, without a dot at its end. Undefined for a list of
# addresses, a display name, quotes, comments and addresses in numbers.
mail_domain(address) := trim_suffix(lower(found[0][1]), ".") if {
	found := regex.find_all_string_submatch_n(
		`^[A-Za-z0-9._%+=/'-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+\.?)$`,
		address, 1,
	)
	count(found) == 1
}

# The address belongs to one of these domains (array or set) or to one below them.
mail_within(address, domains) if {
	some domain in domains
	_domain_within(mail_domain(address), lower(domain))
}

_domain_within(name, domain) if name == domain

_domain_within(name, domain) if endswith(name, concat("", [".", domain]))
