package toolgate.rules.money

amount := input.arguments.amount

in_euro := amount * data.rates[input.arguments.currency]

total := sum([cost | some line in input.arguments.lines; cost := line.price * line.count])

allow if {
	amount >= 0
	in_euro <= 1000
}

allow if total == amount

deny contains "negative" if amount < 0

deny contains "fraction" if {
	is_number(amount)
	round(amount * 100) != amount * 100
}

deny contains {"code": "sum", "message": sprintf("%v is not the sum of %d lines", [amount, count(input.arguments.lines)])} if {
	count(input.arguments.lines) > 0
	total != amount
	input.arguments.strict
}

hold contains {"code": "over_limit", "quorum": steps} if {
	in_euro > data.limit
	steps := min([3, max([1, ceil(in_euro / data.limit) - 1])])
}

hold contains "exact_limit" if in_euro == data.limit

hold contains "odd_share" if {
	amount % 7 == 3
	abs(amount) > 10
}

hold contains "parsed" if to_number(input.arguments.text) >= 99.95

on_result contains {"code": "big", "do": "label", "kind": "money"} if floor(amount) > 9007199254740992

on_call contains {"code": "payee", "do": "restore", "kind": kind} if {
	in_euro > 0
	some kind in ["iban", input.arguments.currency]
}
