package toolgate.rules.nested

by_owner := {owner: ids |
	some row in input.arguments.rows
	owner := row.owner
	ids := [other.id | some other in input.arguments.rows; other.owner == owner]
}

matrix := [row |
	some x in input.arguments.sizes
	row := [product | some y in input.arguments.sizes; product := x * y]
]

leaves := {[path, value] |
	walk(input.arguments.tree, [path, value])
	not is_object(value)
	not is_array(value)
}

allow if count(by_owner[input.subject.id]) > 0

allow if {
	some i, j
	matrix[i][j] == 12
	i <= j
}

allow if object.get(input.arguments.tree, ["a", "b"], "none") == "none"

deny contains {"code": "deep", "message": concat("/", [sprintf("%v", [part]) | some part in path])} if {
	some [path, value] in leaves
	value == "forbidden"
}

deny contains "twice" if {
	some owner
	ids := by_owner[owner]
	count(ids) != count({id | some id in ids})
}

hold contains {"code": "many", "why": json.marshal(by_owner)} if count(by_owner) > 2

hold contains {"code": "row", "why": sprintf("%v", [row])} if {
	some row in matrix
	sum(row) > 40
}

hold contains "slice" if array.slice(input.arguments.sizes, 1, 3) == [3, 4]

hold contains "reversed" if array.reverse(input.arguments.sizes) == array.concat([4], [3])

hold contains {"code": "merged", "why": json.marshal(object.union(input.arguments.tree, {"a": {"z": 1}}))} if input.arguments.tree.a

hold contains {"code": "keys", "why": concat(",", sort(object.keys(input.arguments.tree)))} if count(input.arguments.tree) > 1

hold contains "filtered" if object.filter(input.arguments.tree, ["a"]) != object.remove(input.arguments.tree, ["b", "c"])
