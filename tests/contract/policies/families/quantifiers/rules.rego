package toolgate.rules.quantifiers

allow if {
	every item in input.arguments.items {
		item.price < 50
	}
}

allow if {
	some item in input.arguments.items
	not item.locked
}

deny contains "locked" if {
	count(input.arguments.items) > 0
	every item in input.arguments.items {
		item.locked == true
	}
}

deny contains "nameless" if {
	some item in input.arguments.items
	not item.name
	not item.locked
	item.price > 10
}

deny contains {"code": "pair", "message": name} if {
	some i, first in input.arguments.items
	some j, second in input.arguments.items
	i < j
	first.name == second.name
	name := first.name
	is_string(name)
}

hold contains {"code": "dear", "why": sprintf("%v", [index])} if {
	some index
	input.arguments.items[index].price >= 40
}

hold contains "none_cheap" if {
	input.arguments.items
	not any_cheap
}

hold contains "keys" if {
	every key, value in input.arguments.limits {
		startswith(key, "max_")
		value > 0
	}
	count(input.arguments.limits) > 0
}

hold contains "nested" if {
	every item in input.arguments.items {
		some tag in item.tags
		all_have(tag)
	}
	input.arguments.items[0]
}

all_have(tag) if {
	every other in input.arguments.items {
		tag in other.tags
	}
}

any_cheap if {
	some item in input.arguments.items
	item.price < 20
}
