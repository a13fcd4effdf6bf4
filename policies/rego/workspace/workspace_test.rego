package toolgate.rules.workspace_test

import data.toolgate.rules.starter
import rego.v1

workspace := {
	"root": "/home/me/project",
	"writes": {"files/write_file": ["path"], "files/move_file": ["source", "destination"], "files/odd": []},
}

call(tool, arguments) := {"tool": {"id": tool}, "arguments": arguments}

write(path) := call("files/write_file", {"path": path, "content": ""})

test_a_write_inside_the_folder_is_let_through if {
	every path in ["/home/me/project/a.txt", "/home/me/project/src/a b.js", "/home/me/project/a.d/x"] {
		starter.writes_inside(write(path), workspace)
	}
}

test_a_write_elsewhere_is_not if {
	count([path |
		some path in [
			"/home/me/projects/a", "/home/me/a", "/etc/passwd", "src/a.js", "/home/me/project/../a", "/home/me/project//a",
			"~/a", "", null, 7, ["/home/me/project/a"],
		]
		starter.writes_inside(write(path), workspace)
	]) == 0
}

test_what_tools_run_by_themselves_is_not if {
	count([path |
		some path in [
			"/home/me/project/.git/hooks/pre-commit", "/home/me/project/.envrc", "/home/me/project/a/.vscode/tasks.json",
		]
		starter.writes_inside(write(path), workspace)
	]) == 0
}

test_a_folder_with_a_dot_above_it_is_fine if {
	above := {"root": "/home/me/.work/project", "writes": {"files/write_file": ["path"]}}
	starter.writes_inside(write("/home/me/.work/project/a.txt"), above)
	not starter.writes_inside(write("/home/me/.work/project/.a"), above)
	starter.writes_inside(write("/home/me/.work/project/a.txt"), object.union(above, {"root": "/home/me/.work/project/"}))
}

test_every_path_of_a_call_has_to_be_inside if {
	inside := "/home/me/project/a"
	starter.writes_inside(call("files/move_file", {"source": inside, "destination": "/home/me/project/b"}), workspace)
	not starter.writes_inside(call("files/move_file", {"source": inside, "destination": "/tmp/b"}), workspace)
	not starter.writes_inside(call("files/move_file", {"source": "/etc/passwd", "destination": inside}), workspace)
	not starter.writes_inside(call("files/move_file", {"source": inside}), workspace)
}

test_tools_that_are_not_named_are_not_let_through if {
	not starter.writes_inside(call("files/delete", {"path": "/home/me/project/a"}), workspace)
	not starter.writes_inside(call("files/odd", {"path": "/home/me/project/a"}), workspace)
	not starter.writes_inside(write("/home/me/project/a"), {"root": "/home/me/project"})
	not starter.writes_inside(write("/home/me/project/a"), {"writes": workspace.writes})
}
