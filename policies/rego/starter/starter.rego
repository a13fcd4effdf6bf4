# The policy to begin with: tools that the operator lists as read-only may be called, every other tool
# waits for a person. Copy it, then add rule packages of your own beside it; what a rule of yours should let
# through without asking has to be named by another `let_through`, as in ../workspace.
#
# A reviewer is somebody else than the person whose agent asks. Where only one person is there (no reviewers in
# the configuration), the gateway takes that one for every reviewer, and the record says so: nothing to write here.
#
# Prompts, resources and completions are for reading by the protocol's own definition. A task is what became
# of a call that was decided when it was made. What a server may ask of the agent's side (sampling,
# elicitation, roots) has been granted to it in the configuration, or never gets here.
package toolgate.rules.starter

import data.toolgate.lib
import rego.v1

allow if let_through

hold contains {
	"code": "not_read_only",
	"by": "reviewer",
	"why": "this tool is not on the operator's read-only list, so a person decides",
	"remind": "1h",
} if {
	not let_through
}

let_through if lib.calls_read_only

let_through if lib.reads

let_through if lib.follows_task

let_through if lib.asked_by_server
