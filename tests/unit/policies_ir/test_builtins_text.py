"""Builtins that take text apart: strings, patterns, encodings, messages."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.engines.ir.errors import BuiltinError

REFUSED = object()


def check(call, name, operands, wanted):
    if wanted is REFUSED:
        with pytest.raises(BuiltinError):
            call(name, *operands)
    else:
        assert call(name, *operands) == wanted


@pytest.mark.parametrize(
    ("name", "operands", "wanted"),
    [
        ("lower", ["ÀΣİ"], "àσi"), ("upper", ["straße ŉ ᾳ"], "STRAßE ŉ ᾼ"), ("lower", [1], REFUSED),
        ("startswith", ["abc", "ab"], True), ("endswith", ["abc", "ab"], False), ("contains", ["abc", ""], True),
        ("contains", [None, "a"], REFUSED),
        ("split", ["a,b,", ","], ["a", "b", ""]), ("split", ["aé", ""], ["a", "é"]), ("split", ["", ","], [""]),
        ("strings.split_n", ["a.b.c", ".", 2], ["a", "b"]), ("strings.split_n", ["a.b.c", ".", -1], ["c"]),
        ("concat", ["-", ["a", "b"]], "a-b"), ("concat", ["-", []], ""), ("concat", ["-", ["a", 1]], REFUSED),
        ("replace", ["aXbX", "X", ""], "ab"), ("replace", ["ab", "", "-"], "-a-b-"),
        ("strings.replace_n", [{"a": "b", "b": "a"}, "abc"], "bac"), ("strings.replace_n", [{"a": 1}, "a"], REFUSED),
        ("trim", ["xxaxx", "x"], "a"), ("trim_left", ["xxa", "x"], "a"), ("trim_right", ["axx", "x"], "a"),
        ("trim_prefix", ["ab", "a"], "b"), ("trim_suffix", ["ab", "b"], "a"), ("trim_space", [" \u00a0a\t"], "a"),
        ("trim_space", ["\x1ca"], "\x1ca"),
        ("indexof", ["日本語", "語"], 2), ("indexof", ["a", "b"], -1), ("indexof", ["a", ""], REFUSED),
        ("indexof_n", ["aaa", "aa"], [0, 1]), ("substring", ["héllo", 1, 2], "él"), ("substring", ["abc", 1, -1], "bc"),
        ("substring", ["abc", -1, 1], REFUSED), ("substring", ["abc", 9, 1], ""), ("strings.reverse", ["añb"], "bña"),
        ("strings.count", ["aaa", "aa"], 1), ("strings.any_prefix_match", [["b", "ac"], ["a"]], True),
        ("strings.any_suffix_match", ["file.exe", ["dll", "exe"]], True),
        ("strings.any_prefix_match", [["b"], []], False), ("strings.any_prefix_match", ["a", 1], REFUSED),
        ("format_int", [Decimal("-15.9"), 16], "-f"), ("format_int", [5, 2], "101"), ("format_int", [5, 3], REFUSED),
        ("to_number", ["1e3"], 1000), ("to_number", [True], 1), ("to_number", [None], 0),
        ("to_number", ["0x10"], REFUSED), ("to_number", ["١"], REFUSED), ("to_number", ["inf"], REFUSED),
        ("to_number", [" 1"], REFUSED), ("to_number", [[]], REFUSED),
    ],
)  # fmt: skip
def test_strings(call, name, operands, wanted):
    check(call, name, operands, wanted)


@pytest.mark.parametrize(
    ("name", "operands", "wanted"),
    [
        ("regex.match", ["^a+$", "aaa"], True), ("regex.match", ["(?i)É", "é"], True), ("regex.match", ["[", "a"], REFUSED),
        ("regex.match", ["(a+)+$", "a" * 50_000 + "b"], False), ("regex.match", [r"a(?=b)", "ab"], REFUSED),
        ("regex.match", ["a", "\ud800"], REFUSED), ("regex.is_valid", ["["], False), ("regex.is_valid", ["a"], True),
        ("regex.is_valid", [1], False), ("regex.find_n", ["a.", "abacad", 2], ["ab", "ac"]),
        ("regex.find_n", ["x*", "axb", -1], ["", "x", ""]), ("regex.find_n", ["a", "a", 0], []),
        ("regex.find_all_string_submatch_n", ["(a)(b)?", "ab a", -1], [["ab", "a", "b"], ["a", "a", ""]]),
        ("regex.split", ["a+", "baac"], ["b", "c"]), ("regex.split", ["", "ab"], ["a", "b"]),
        ("regex.split", ["x", ""], [""]),
        ("regex.replace", ["ab", "(?P<n>a)(b)", "$2${n}$$$9|$nn"], "ba$|"), ("regex.replace", ["é", "", "-"], "-é-"),
        ("regex.replace", ["a", "[", ""], REFUSED),
        ("regex.template_match", ["urn:{[a-z]+}:x", "urn:abc:x", "{", "}"], True),
        ("regex.template_match", ["urn:{[a-z]+:x", "urn:abc:x", "{", "}"], REFUSED),
        ("glob.match", ["*.example.com", [], "api.example.com"], True),
        ("glob.match", ["*.example.com", [], "a.b.example.com"], False),
        ("glob.match", ["**.example.com", [], "a.b.example.com"], True),
        ("glob.match", ["*", None, "a.b/c"], True), ("glob.match", ["/a/*", ["/"], "/a/b/c"], False),
        ("glob.match", ["{cat,[br]at}", [], "rat"], True), ("glob.match", ["[!a-c]", [], "b"], False),
        ("glob.match", ["a\\*", [], "a*"], True), ("glob.match", ["[a", [], "a"], REFUSED),
        ("glob.match", ["{a", [], "a"], REFUSED), ("glob.match", ["a", ["ab"], "a"], REFUSED),
        ("glob.match", ["*a*a*a*a*a*b", [], "a" * 20_000], False),
        ("glob.quote_meta", ["a*[b]"], "a\\*\\[b\\]"),
    ],
)  # fmt: skip
def test_patterns_are_linear_and_read_as_go_reads_them(call, name, operands, wanted):
    check(call, name, operands, wanted)


@pytest.mark.parametrize(
    ("template", "values", "wanted"),
    [
        ("%v|%d|%s|%5.2f", [Decimal("1234567.5"), Decimal("3.7"), 2, Decimal("3.14159")],
         "1.2345675e+06|%!d(float64=3.7)|%!s(int64=2)| 3.14"),
        ("%v %v", [Decimal("100000000.0"), Decimal("123456.0")], "1e+08 123456"),
        ("%x % X %#x %X", ["hi", "hi", "hi", -255], "6869 68 69 0x6869 -FF"), ("%q", ['a"\n\x01é'], '"a\\"\\n\\x01é"'),
        ("%05d|%+d|%-5d|% d", [-42, 7, 7, 42], "-0042|+7|7    | 42"), ("%05s|%.2s", ["ab", "abc"], "000ab|ab"),
        ("%08b|%+.3d|%.0d", [5, 7, 0], "00000101|+007|"), ("%U %c %T %t", [65, 65, Decimal("1.5"), True],
         "U+0041 A float64 %!t(string=true)"),
        ("%z %d", [1], "%!z(int64=1) %!d(MISSING)"), ("%d", [1, "x"], "1%!(EXTRA string=x)"),
        ("%[2]d %[1]d", [1, 2], "2 1"), ("%*d|%-*d|%.*f", [5, 1, 4, 2, 2, Decimal("3.14159")], "    1|2   |3.14"),
        ("100%%", [], "100%"), ("%", [], "%!(NOVERB)"), ("%[9]d", [1], "%!d(BADINDEX)"),
        ("%v %v", [[1, "a", {"x": None}], True], '[1, "a", {"x": null}] true'),
        ("%s", [123456789123456789123], "123456789123456789123"), ("%v", [Decimal("1e400")], "1e400"),
        ("%.3g %G %.0f", [Decimal("1234567.0"), Decimal("1e-7"), Decimal("2.5")], "1.23e+06 1E-07 2"),
    ],
)  # fmt: skip
def test_sprintf_formats_as_go_does(call, template, values, wanted):
    assert call("sprintf", template, values) == wanted


def test_sprintf_refuses_what_is_no_template(call):
    with pytest.raises(BuiltinError):
        call("sprintf", 1, [])
    with pytest.raises(BuiltinError):
        call("sprintf", "", "x")


def test_template_strings_show_what_is_undefined(call, rego_set):
    assert (
        call("internal.template_string", ["a ", rego_set(1), rego_set(), rego_set("x")]) == "a 1<undefined>x"
    )


@pytest.mark.parametrize(
    ("name", "operands", "wanted"),
    [
        ("base64.encode", ["é?"], "w6k/"), ("base64.decode", ["w6k/"], "é?"), ("base64.decode", ["w6k"], REFUSED),
        ("base64.is_valid", ["w6k"], False), ("base64url.encode", ["é?"], "w6k_"), ("base64url.decode", ["YQ"], "a"),
        ("base64url.encode_no_pad", ["a"], "YQ"), ("base64url.decode", ["w6k/"], REFUSED),
        ("hex.encode", ["é"], "c3a9"), ("hex.decode", ["c3a9"], "é"), ("hex.decode", ["c 3"], REFUSED),
        ("urlquery.encode", ["a b&é~"], "a+b%26%C3%A9~"), ("urlquery.decode", ["a+b%26"], "a b&"),
        ("urlquery.decode", ["%4"], REFUSED), ("urlquery.decode_object", ["a=1&a=2&b"], {"a": ["1", "2"], "b": [""]}),
        ("urlquery.encode_object", [{"b": "1", "a": ["x", "y"]}], "a=x&a=y&b=1"),
        ("urlquery.encode_object", [{"a": 1}], REFUSED),
        ("json.marshal", [{"b": 1, "a": ["<"]}], '{"a":["\\u003c"],"b":1}'),
        ("json.marshal_with_options", [[1, {}], {"indent": " "}], "[\n 1,\n {}\n]"),
        ("json.marshal_with_options", [[1], {"other": 1}], REFUSED),
        ("json.unmarshal", ['{"a":[1.50,true,null]}'], {"a": [Decimal("1.50"), True, None]}),
        ("json.unmarshal", ["NaN"], REFUSED), ("json.unmarshal", ["[1,]"], REFUSED), ("json.unmarshal", ["[" * 5000], REFUSED),
        ("json.unmarshal", ['"' + "[" * 5000 + '"'], "[" * 5000), ("json.is_valid", ["{}"], True),
        ("json.is_valid", ["{"], False),
        ("yaml.unmarshal", ["a: 1\nb: [x, 1.5, 1e3]"], {"a": 1, "b": ["x", Decimal("1.5"), 1000]}),
        ("yaml.unmarshal", ["a: &x [1]\nb: *x"], REFUSED), ("yaml.unmarshal", ["!!python/object:os.system x"], REFUSED),
        ("yaml.is_valid", ["a: ["], False), ("yaml.marshal", [{"b": [1], "a": "x"}], "a: x\nb:\n- 1\n"),
    ],
)  # fmt: skip
def test_encodings(call, name, operands, wanted):
    check(call, name, operands, wanted)
