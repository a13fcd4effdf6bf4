# Beside the starter policy: lets agents write inside one folder without asking. Copy this folder next to
# starter.rego and say in its data.yaml which folder, and which arguments of which tools are paths. A call is
# let through only if every one of them names a plain place in the folder; all else is held as before.
#
# Writing is not harmless because it stays inside: what is there can be overwritten, and what others run (build
# files, scripts) can be changed. Names that begin with a dot are never let through, for there tools keep what they
# run by themselves (.git/hooks, .vscode). Whether a link leads out of the folder only the server can know.
package toolgate.rules.starter

import data.toolgate.lib
import rego.v1

let_through if {
	lib.calls
	writes_inside(input, data.workspace)
}

writes_inside(call, workspace) if {
	names := workspace.writes[call.tool.id]
	count(names) > 0
	every name in names {
		plain_place(call.arguments[name], workspace.root)
	}
}

plain_place(path, root) if {
	lib.within(path, root)
	not hidden(trim_prefix(path, root))
}

hidden(path) if regex.match(`(^|/)\.`, path)
