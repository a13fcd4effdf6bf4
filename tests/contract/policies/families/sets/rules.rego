package toolgate.rules.sets

wanted := {tag | some tag in input.arguments.tags}

given := {tag | some tag in input.resource.labels}

allow if wanted & given == wanted

allow if count(wanted - given) < 2

deny contains {"code": "forbidden", "message": json.marshal(both)} if {
	both := wanted & {"root", "prod", 1, null}
	count(both) > 0
}

deny contains "same" if {
	count(wanted) > 1
	wanted == given
	sort(input.arguments.tags) == input.arguments.tags
}

hold contains {"code": "union", "why": concat(",", sort([t | some t in (wanted | given); is_string(t)]))} if count(wanted | given) > 3

hold contains "extremes" if {
	max(input.arguments.tags) == min(input.arguments.tags)
	input.arguments.tags[1]
}

hold contains "union_of" if count(union({wanted, given, {"x"}})) == count(wanted) + 1

hold contains "intersection_of" if count(intersection({wanted, given})) == 1

hold contains "set_member" if {"a", "b"} in {wanted, given}

hold contains "array_member" if ["a"] in input.arguments.tags

hold contains "subset" if object.subset(given, wanted)

hold contains {"code": "sorted", "why": json.marshal(sort(wanted))} if {
	some member in wanted
	member > "m"
}
