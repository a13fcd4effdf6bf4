package toolgate.lib_test

import data.toolgate.lib
import rego.v1

test_read_only_is_the_operators_label if {
	lib.read_only with input as {"resource": {"labels": ["x", "read_only"]}}
	not lib.read_only with input as {"resource": {"labels": ["write"]}}
	not lib.read_only with input as {"resource": {"labels": []}}
	not lib.read_only with input as {"resource": {"labels": [], "annotations": {"readOnlyHint": true}}}
	not lib.read_only with input as {}
}

test_has_role if {
	lib.has_role("support") with input as {"subject": {"roles": ["support", "ops"]}}
	not lib.has_role("admin") with input as {"subject": {"roles": ["support", "ops"]}}
	not lib.has_role("support") with input as {"subject": {}}
}

test_has_any_role if {
	lib.has_any_role({"admin", "ops"}) with input as {"subject": {"roles": ["support", "ops"]}}
	lib.has_any_role(["ops"]) with input as {"subject": {"roles": ["support", "ops"]}}
	not lib.has_any_role({"admin"}) with input as {"subject": {"roles": ["support", "ops"]}}
	not lib.has_any_role(set()) with input as {"subject": {"roles": ["support", "ops"]}}
}

test_fold if {
	lib.fold("  Prod\t") == "prod"
	lib.fold("ÄÖ") == "äö"
	not lib.fold(input.odd) with input as {"odd": 7}
}

test_same if {
	lib.same("PROD ", "prod")
	not lib.same("prod", "prod.")
	not lib.same(input.odd, input.odd) with input as {"odd": 1}
}

test_one_of if {
	lib.one_of("EUR", ["usd", "eur"])
	not lib.one_of("EURO", ["usd", "eur"])
	not lib.one_of("EUR", [])
	not lib.one_of(input.odd, ["null"]) with input as {"odd": null}
}

test_strings_in if {
	lib.strings_in({"a": ["x", {"b": "y"}], "c": 1, "d": null}) == {"x", "y"}
	lib.strings_in("z") == {"z"}
	lib.strings_in([]) == set()
}

test_within_accepts_plain_paths if {
	every path in ["/srv/data", "/srv/data/a", "/srv/data/a/b c.txt", "/srv/data/.hidden", "/srv/data/é"] {
		lib.within(path, "/srv/data")
		lib.within(path, "/srv/data/")
	}
	lib.within("/any", "/")
	lib.within("docs/a", "docs")
}

test_within_refuses_other_places if {
	count([path |
		some path in [
			"/srv/database", "/srv", "/", "", "srv/data/a", "/SRV/data/a",
			"/srv/data/../etc", "/srv/data/a/..", "/srv/data/./a", "/srv/data//a",
			"/srv/data/%2e%2e/etc", "/srv/data/a%00", "/srv/data\\..\\etc", "/srv/data/..\\etc",
			"/srv/data/ok.", "/srv/data/ok ", "/srv/data/.. /x", "/srv/data/... /x", "~/srv/data",
			"/srv/data/a\nb", "/srv/data/a\u0000b",
		]
		lib.within(path, "/srv/data")
	]) == 0
	count([odd | some odd in [null, 1, true, ["/srv/data/a"], {"path": "/srv/data/a"}]; lib.within(odd, "/srv/data")]) == 0
}

test_host_reads_plain_urls if {
	lib.host("https://api.example.com/x?y=1#z") == "api.example.com"
	lib.host("HTTPS://API.Example.COM.:8443/x") == "api.example.com"
	lib.host("http://[::1]:80/") == "[::1]"
	lib.host("ftp://example.com") == "example.com"
}

test_host_is_undefined_for_tricks if {
	count([url |
		some url in [
			"https://example.com@evil.test/", "https://user:pw@example.com/", "https://example.com\\@evil.test/",
			"https://exa mple.com/", " https://example.com/", "https://example.com/a b", "//example.com/", "example.com",
			"https:///x", "https://%65xample.com/", "https://example.com:port/", "https://ex\u00e4mple.com/", "",
			"https://example.com\nhost: evil.test", "javascript:alert(1)",
		]
		lib.host(url)
	]) == 0
	odd := [null, 1, ["https://example.com"], "https://example.com"]
	[url | some url in input.odd; lib.host(url)] == ["https://example.com"] with input as {"odd": odd}
}

test_host_within if {
	lib.host_within("https://example.com/", ["example.com"])
	lib.host_within("https://a.b.EXAMPLE.com/", {"Example.com"})
	not lib.host_within("https://notexample.com/", ["example.com"])
	not lib.host_within("https://example.com.evil.test/", ["example.com"])
	not lib.host_within("https://example.com@evil.test/", ["example.com"])
	not lib.host_within("https://example.com/", [])
}

test_mail_domain if {
	lib.mail_domain("Ana.B+x@Example.COM") == "example.com"
	count([address |
		some address in [
			"ana@example.com, eve@evil.test", "Ana <ana@example.com>", "\"a@b\"@example.com", "ana@[10.0.0.1]",
			"ana@example", "@example.com", "ana@", "ana@example.com\n", "a@b@example.com", "",
		]
		lib.mail_domain(address)
	]) == 0
}

test_mail_within if {
	lib.mail_within("ana@mail.example.com", ["example.com"])
	not lib.mail_within("ana@example.com.evil.test", ["example.com"])
	not lib.mail_within("ana@badexample.com", ["example.com"])
}

request(action, type, labels) := {"action": {"name": action}, "resource": {"type": type, "labels": labels}}

test_what_a_request_is_about if {
	lib.calls with input as request("tools/call", "tool", [])
	not lib.calls with input as request("prompts/get", "prompt", [])
	lib.calls_read_only with input as request("tools/call", "tool", ["read_only"])
	not lib.calls_read_only with input as request("tools/call", "tool", [])
	not lib.calls_read_only with input as request("prompts/get", "prompt", ["read_only"])
	lib.reads with input as request("prompts/get", "prompt", [])
	lib.reads with input as request("resources/subscribe", "resource", [])
	not lib.reads with input as request("tools/call", "tool", [])
	not lib.reads with input as request("sampling/createMessage", "agent", [])
	lib.follows_task with input as request("tasks/get", "task", [])
	not lib.follows_task with input as request("tools/call", "tool", [])
	lib.asked_by_server with input as request("roots/list", "agent", [])
	not lib.asked_by_server with input as request("resources/read", "resource", [])
	lib.listed with input as request("resources/read", "resource", [])
	not lib.listed with input as request("resources/read", "resource", ["unlisted"])
	not lib.listed with input as request("tools/call", "tool", [])
}
