package toolgate.rules.functions

default allow := false

default tier := "unknown"

allow if tier == "gold"

allow if level(input.subject.points) != "none"

tier := "gold" if {
	input.subject.points > 900
} else := "silver" if {
	input.subject.points > 500
} else := sprintf("bronze-%v", [input.subject.region]) if {
	input.subject.region in {"eu", "us"}
}

level(points) := "high" if {
	points >= 100
} else := "low" if {
	points >= 10
	not blocked(points)
} else := "none"

blocked(13)

blocked(points) if points == 66.6

# One function with several heads, one of them on a constant.
cost("free", _) := 0

cost("flat", _) := data.prices.flat

cost("each", n) := n * data.prices.each

distance([x1, y1], [x2, y2]) := abs(x1 - x2) + abs(y1 - y2)

distance({"x": x1}, {"x": x2}) := abs(x1 - x2)

region_of[name] := region if {
	some region, names in data.regions
	some name in names
}

deny contains {"code": "tier", "message": tier} if startswith(tier, "bronze")

deny contains "region" if region_of[input.subject.city] != input.subject.region

deny contains "cost" if cost(input.arguments.plan, input.arguments.n) > 100

hold contains {"code": "level", "why": level(input.subject.points)} if input.arguments.n > 3

hold contains "far" if distance(input.arguments.from, input.arguments.to) > 5

hold contains {"code": "cost", "why": sprintf("%.2f", [cost(input.arguments.plan, input.arguments.n)])} if {
	cost(input.arguments.plan, input.arguments.n) > 10
}

hold contains "city" if not region_of[input.subject.city]
