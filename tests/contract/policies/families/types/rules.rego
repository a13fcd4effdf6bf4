package toolgate.rules.types

a := input.arguments.a

b := input.arguments.b

allow if a == b

allow if a < b

allow if type_name(a) == type_name(b)

deny contains {"code": "less", "message": type_name(b)} if {
	b <= a
	is_string(a)
}

deny contains "null" if {
	is_null(a)
	not is_boolean(b)
}

deny contains "object" if a == {"k": b}

hold contains {"code": "kind", "why": type_name(a)} if not is_number(a)

hold contains "added" if a + b > 2

hold contains "truthy" if {
	input.arguments.a
	not input.arguments.b
}

hold contains "listed" if a in [b, 1, "a", null, [1], {"k": 1}]

hold contains {"code": "text", "why": sprintf("%v %v", [a, b])} if a != b

hold contains {"code": "json", "why": json.marshal({"a": a, "b": [b]})} if is_array(b)

hold contains "max" if max([a, b]) == a

hold contains "count" if count(a) == count(b)

hold contains {"code": "cast", "why": format_int(a, 16)} if a >= 10

hold contains "key" if {a: 1}[b] == 1

deny contains "bits" if bits.and(a, 1) == 1
