package toolgate.rules.outgoing_test

import data.toolgate.rules.outgoing
import rego.v1

settings := {
	"leaves": {"mail/send_mail": {"mail": ["to", "cc"]}, "web/fetch": {"url": ["url"]}, "chat/post_message": {}},
	"inside": ["example.com"],
}

request(tool, arguments, labels) := {
	"tool": {"id": tool},
	"arguments": arguments,
	"context": {"session": {"id": "s", "labels": labels}},
}

mail(arguments) := request("mail/send_mail", arguments, [])

fetch(url) := request("web/fetch", {"url": url}, [])

test_both_kinds_of_labels_have_to_be_there if {
	outgoing.both_seen(request("web/fetch", {}, ["private-data", "untrusted-content"]))
	outgoing.both_seen(request("web/fetch", {}, ["secret-seen", "untrusted-content"]))
	count([labels |
		some labels in [[], ["private-data"], ["secret-seen", "private-data"], ["untrusted-content"], ["untrusted"]]
		outgoing.both_seen(request("web/fetch", {}, labels))
	]) == 0
}

test_a_tool_that_sends_to_nowhere_in_particular_leaves if {
	outgoing.leaves(request("chat/post_message", {"text": "hello"}, []), settings)
}

test_a_tool_that_is_not_named_does_not_leave if {
	not outgoing.leaves(request("crm/get_customer", {"to": "a@elsewhere.test"}, []), settings)
}

test_a_mail_to_colleagues_stays if {
	not outgoing.leaves(mail({"to": "a@example.com"}), settings)
	not outgoing.leaves(mail({"to": ["a@example.com", "b@eu.example.com"], "cc": []}), settings)
	not outgoing.leaves(mail({"to": "a@example.com", "cc": null}), settings)
}

test_a_mail_to_somebody_else_leaves if {
	every arguments in [
		{"to": "a@elsewhere.test"},
		{"to": ["a@example.com", "b@elsewhere.test"]},
		{"to": "a@example.com", "cc": "b@elsewhere.test"},
		{"to": "a@example.com, b@elsewhere.test"},
		{"to": "a@example.com.elsewhere.test"},
		{"to": {"name": "A", "address": "a@elsewhere.test"}},
		{"to": "a@example.com", "cc": {"b@elsewhere.test": 1}},
		{"to": "a@example.com", "cc": [["b@elsewhere.test"]]},
		{"to": "a@example.com", "cc": 7},
		{"to": ""}, {"to": null}, {"to": []}, {},
	] {
		outgoing.leaves(mail(arguments), settings)
	}
}

test_a_page_of_our_own_stays_and_any_other_leaves if {
	not outgoing.leaves(fetch("https://wiki.example.com/a?q=b"), settings)
	every url in [
		"https://elsewhere.test/?q=secret", "https://wiki.example.com@elsewhere.test/", "//elsewhere.test", "", null,
		"https://example.com.elsewhere.test/", "https://wiki.example.com\\@elsewhere.test/",
	] {
		outgoing.leaves(fetch(url), settings)
	}
}

test_what_nobody_says_is_inside_leaves if {
	outgoing.leaves(mail({"to": "a@example.com"}), {"leaves": settings.leaves})
	outgoing.leaves(mail({"to": "a@example.com"}), {"leaves": settings.leaves, "inside": []})
}

test_results_are_labelled_by_the_tools_that_are_named if {
	outgoing.named("web/fetch", ["web/fetch", "mail/read_mail"])
	not outgoing.named("web/fetch2", ["web/fetch"])
	not outgoing.named("web/fetch", [])
}
