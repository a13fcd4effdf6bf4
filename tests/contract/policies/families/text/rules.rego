package toolgate.rules.text

name := input.arguments.name

path := input.arguments.path

allow if regex.match(`^[a-z][a-z0-9_-]{0,15}$`, name)

allow if glob.match("docs/**/*.md", ["/"], path)

allow if glob.match("{api,web}.*.example.com", ["."], input.arguments.host)

allow if {
	startswith(path, "docs/")
	not contains(path, "..")
}

deny contains "secret" if contains(lower(path), "secret")

deny contains "ending" if endswith(path, ".pem")

deny contains {"code": "word", "message": word} if {
	some word in split(name, " ")
	upper(word) in {"DROP", "STRASSE", "ΑΣ", "İX"}
}

deny contains "hidden" if regex.match(`[\x{200b}-\x{200f}\x{202a}-\x{202e}]`, name)

hold contains {"code": "long", "why": sprintf("%d characters: %s", [count(name), substring(name, 0, 4)])} if count(name) > 12

hold contains {"code": "parts", "why": concat("|", parts)} if {
	parts := [trim_space(part) | some part in split(path, "/"); part != ""]
	count(parts) > 3
}

hold contains {"code": "found", "why": found} if {
	some found in regex.find_n(`\p{Lu}\p{Ll}+`, name, 2)
}

hold contains {"code": "changed", "why": replace(trim(name, "ab"), "é", "e")} if trim_left(name, "ab") != name

hold contains "position" if indexof(path, "é") >= 5

hold contains "ordered" if name > path

hold contains {"code": "rewritten", "why": regex.replace(name, `(\w)(\d)`, "$2$1")} if regex.match(`\w\d`, name)
