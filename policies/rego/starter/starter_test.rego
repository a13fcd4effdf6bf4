package toolgate.rules.starter_test

import data.toolgate.rules.starter
import rego.v1

request(labels) := {
	"version": 1,
	"subject": {"id": "ana", "roles": []},
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
}

test_what_a_server_claims_about_its_tool_does_not_count if {
	not starter.allow with input as request(["readOnlyHint"])
	count(starter.hold) == 1 with input as request(["readOnlyHint"])
}

test_a_request_without_labels_is_held if {
	not starter.allow with input as {"resource": {}}
	count(starter.hold) == 1 with input as {"resource": {}}
}
