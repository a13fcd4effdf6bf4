package toolgate.rules.starter_test

import data.toolgate.rules.starter
import rego.v1

request(labels) := {
	"version": 1,
	"subject": {"id": "ana", "roles": []},
	"action": {"name": "tools/call"},
	"resource": {"id": "files/read_file", "labels": labels, "annotations": {"readOnlyHint": true}},
	"arguments": {},
}

test_a_tool_on_the_read_only_list_is_allowed_without_asking if {
	starter.allow with input as request(["read_only"])
	starter.hold == set() with input as request(["read_only"])
}

test_any_other_tool_is_held_for_a_reviewer if {
	not starter.allow with input as request([])
	some held in starter.hold with input as request([])
	held.code == "not_read_only"
	held.by == "reviewer"
	object.keys(held) == {"code", "by", "why", "remind"}
}

test_what_a_server_claims_about_its_tool_does_not_count if {
	not starter.allow with input as request(["readOnlyHint"])
	count(starter.hold) == 1 with input as request(["readOnlyHint"])
}

test_a_request_without_labels_is_held if {
	not starter.allow with input as {"action": {"name": "tools/call"}, "resource": {}}
	count(starter.hold) == 1 with input as {"action": {"name": "tools/call"}, "resource": {}}
}

other(action, type) := {"action": {"name": action}, "resource": {"type": type, "labels": []}}

test_what_is_offered_for_reading_may_be_read if {
	every action in ["prompts/get", "resources/read", "resources/subscribe", "completion/complete"] {
		starter.allow with input as other(action, "resource")
		starter.hold == set() with input as other(action, "resource")
	}
}

test_a_task_may_be_followed_and_ended if {
	starter.allow with input as other("tasks/get", "task")
	starter.allow with input as other("tasks/cancel", "task")
}

test_a_server_may_ask_for_what_it_was_granted if {
	starter.allow with input as other("elicitation/create", "agent")
}

test_a_method_it_has_never_heard_of_is_held if {
	not starter.allow with input as other("x/y", "")
	count(starter.hold) == 1 with input as other("x/y", "")
}
