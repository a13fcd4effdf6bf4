"""Our own collection of JSON texts that parsers have been seen, or may be thought, to read differently.

Good and bad ones side by side: which is which is what the tests find out.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

MESSAGES = (Path(__file__).parent / "messages.jsonl").read_bytes().splitlines()
"""Well-formed MCP messages of both eras and both directions."""


def words(text: str) -> list[str]:
    """What stands between blanks and line ends, and no other kind of space."""
    return re.split("[ \n]+", text.strip(" \n"))


BORDERS = (2**31, 2**32, 2**53, 2**63, 2**64, 10**15, 10**16, 10**20, 10**21, 10**22, 10**23, 10**308, 10**309)  # fmt: skip

NUMBERS = words("""
    0 -0 1 -1 00 -00 01 -01 007 +0 +1 ++1 --1 -+1 1- 1+ - + . e -. 1 2. -2. .5 -.5 +.5 1. 1.e1 .e1 0. 0.e1 -.e1
    0.0 -0.0 0e0 -0e0 0E-0 -0E+0 0e5 -0e5 0.0e-999 0e999999999999999999999 00.1 -01.5 1.5 1.50 1.05 1.2.3 1..2
    1e1 1E1 1e+1 1E+1 1e-1 1e01 1e+01 1e-05 1e00 1e 1E 1e+ 1e- 1e+-1 1ee1 1e1e1 1e1.5 1.5e3 1.5E-3 1.0e2 15e-1
    0x10 0X1F -0x1 0b11 0o17 0777 1_000 1,000 1'000 1n 1L 1f 1d 1.0f 1u 1i 0x1p3 1/2 1e2e 1a 1:1 1;
    NaN -NaN nan NAN Infinity -Infinity +Infinity infinity inf -inf Inf INF 1.#INF 1.#QNAN null0 true1 0false
    \u0661 \uff11 1\uff12 \u00b2 1\u0662 0.\u0661 1e\uff11 \u221e \u2212 1 \u2013 1 1\u00a0000
    9007199254740991.0 9007199254740991.5 9007199254740990.5 9007199254740992.5 90071992547409910e-1
    90071992547409920e-1 90071992547409930e-1 0.9007199254740991e16 0.9007199254740993e16 9.007199254740993e15
    9007199254740991e0 9007199254740992e0 9007199254740993e0 123456789012345678e-5 999999999999999 4503599627370496.5
    1e15 1e16 1e17 1e20 1e21 1e22 1e23 1E400 1e400 -1e400 1e309 -1e309 1e308 1e308000 1e+999999999999999999999
    1.7976931348623157e308 1.7976931348623158e308 1.7976931348623159e308 -1.7976931348623159e308 17976931348623157e292
    0.17976931348623157e309 1.797693134862315807e308 1.797693134862315808e308 8.98846567431158e307
    5e-324 -5e-324 4.9406564584124654e-324 4.94e-324 3e-324 2.5e-324 2.4703282292062327e-324 2.4703282292062328e-324
    1e-323 1e-400 -1e-400 1e-999999999999999999999 2.2250738585072014e-308 2.2250738585072011e-308
    2.2250738585072012e-308 2.225073858507201e-308 2.2250738585072009e-308 4.4501477170144023e-308 6.8e-322
    0.1 0.2 0.3 0.30000000000000004 0.1e1 1.1 2.675 1.15 9.995 5.0e-1 3.141592653589793238462643383279502884197
    1.00000000000000011102230246251565404236316680908203125 1.00000000000000011102230246251565404236316680908203124
    1.00000000000000011102230246251565404236316680908203126 8.41e21 9.5e21 2.0e-3 6631236846766476.5 5.551115123125783e-17
    1.448997445238699 7.3177701707893310e15 0.500000000000000166533453693773481063544750213623046875 3.518437208883201171875e13
    62.5364939768271845828 8.10109172351e-10 1.50000000000000011102230246251565 9007199254740991.4999999999999999999999999999
""")

# Values a string may hold, as they stand between the quotes.
STRINGS = [
    *(b"\\%c" % letter for letter in b"\"\\/bfnrt0avex'`UuNsdB1 \n"),
    *(b"a%cb" % code for code in range(0x20)),
    *(f"a\\u{code:04x}b" for code in (*range(0x20), 0x22, 0x5C, 0x7F, 0x80, 0x9F, 0xA0, 0xE9, 0xFEFF, 0xFFFE, 0xFFFF)),
    *words("\x7f \x80 \x85 \x9f \xad \xe9 e\u0301 \u0378 \u200b \u200e \u2028 \u2029 \u202e \u3000 \ufdd0 \ufeff \ufffd"),
    *words("\ufffe \uffff \U00010000 \U0001f600 \U0001fffe \U000e0041 \U0010fffd \U0010ffff \u1680\u2003 \u1100\u1161"),
    *words(r"\u2028 \u2029 \u00E9 \u00e9 \u00Ee \uABCD \uabcd \uD7FF \uE000 \uFFFD"),
    *words(r"\ud83d\ude00 \uD83D\uDE00 \uD83d\uDe00 \ud800\udc00 \udbff\udfff x\ud83d\ude00y \ud83d\ude00\ud83d\ude00"),
    *words(r"\ud800 \udbff \udc00 \udfff \ude00\ud83d \ud83d\ud83d \ud83d\ud83d\ude00 \ud83dx\ude00 \ud83d\n\ude00"),
    *words(r"\ud83d\ude00\ude00 x\ud83d \ud83d\u0041 \ud83d\u \ud83d\ud \ud83d\\ude00 \\ud83d \\\ud83d \ud83d/\ude00"),
    *words(r"\u \u0 \u00 \u004 \u{41} \u+041 \u-041 \u0x41 \u00g1 \u00G0 \u_041 \uD83D\xDE00 \x41 \U0001f600 \141 \\u0041"),
    "\\u 041", "\\u004\uff11", "\\u\u0661\u0661\u0661\u0661", "\\", "\\\\", "\\\\\\", "a\\", "'", "''", "//", "/*", "<!--",
    b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xe0\x9f\xbf", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf",
    b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80",
    b"\\ud83d\xed\xb8\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"\xfe", b"\x80", b"\xbf", b"\xc3", b"\xe2\x82",
    b"\xf0\x9f\x98", b"\xe2\x28\xa1", b"\xc3\xc3\xa9", b"\xe9", b"\xc2\xa0\xa0", b"\xef\xbb\xbf", b"\xef\xbf\xbe", b"\xed\x9f\xbf",
]  # fmt: skip

SPACES = [
    *(bytes([code]) for code in range(0x21)),
    *(mark.encode() for mark in "\x7f\x85\xa0\xad\u1680\u180e\u2000\u2003\u2009\u200b\u200d\u2028\u2029\u202f\u2060\u3000\ufeff\ufffd"),
    b"\r\n", b"\n\r", b" \t\r\n \t", b"\xff", b"\xc2", b"\\n", b"\\t", b"&nbsp;",
]  # fmt: skip

# Each pair of keys in one object. Equal only if they are the same string once read.
KEYS = [
    *(("a", "a"), ("", ""), ("a", r"\u0061"), (r"\u0061", r"\u0061"), ("/", r"\/"), ("\t", r"\t"), (r"\t", r"\u0009")),
    *(("\xe9", r"\u00e9"), ("\xe9", r"\u00E9"), (r"\u00e9", r"\u00E9"), ("\xe9", "e\u0301"), ("\U0001f600", r"\ud83d\ude00")),
    *(("a", "A"), ("a", "\u0430"), ("a", "a "), ("a", r"a\u0000"), ("K", "\u212a"), ("s", "\u017f"), ("\xdf", "ss"), ("", r"\u0000")),
    *(("\ufb01", "fi"), ("1", "01"), ("1", "1.0"), ("0", "-0"), ("1", "\uff11"), ("10", "9"), ("true", "True"), ("a", r"\ud800")),
    *(("__proto__", "__proto__"), ("__proto__", r"\u005f_proto__"), ("__proto__", "constructor"), ("length", "toString")),
    *(("hasOwnProperty", "valueOf"), ("__class__", "__init__"), ("$ref", "$schema"), ("toJSON", "then"), (r"\"", r"\u0022")),
    *(("\\\\", r"\u005c"), ("\ufeffa", "a"), ("a\u200b", "a"), ("\u2028", r"\u2028"), ("method", r"metho\u0064"), ("4294967295", "-1")),
]  # fmt: skip

STRUCTURES = rb"""
    {} [] [[]] [{}] {"a":{}} {"a":[]} [[],[]] [{},{}] [null] [true,false,null] [0,"",[],{}] {"":""} {"":{"":{"":0}}} null true false "" "a"
    [1,] [,1] [,] [1,,2] [1,2,,] [,,] {"a":1,} {,"a":1} {,} {"a":1,,"b":2} {"a":1,"b":2,} {"a",} {"a"} {"a":} {:1} {:} {"a"::1} {"a":1:2}
    {"a"=1} {"a"=>1} {"a";1} {"a":1;"b":2} [1;2] [1:2] ["a":1] {"a",1} {1:1} {null:1} {true:1} {[]:1} {{}:1} {a:1} {'a':1} {"a":'b'} ['a'] [a]
    [1[ ]1] [ ] { } [{] {[} [} {] [1 {"a":1 {"a": {"a {" { [ " ] } , : [" ["a ["a", [1, [[1] [[1]]] {"a":{"b":1} {"a":{"b":1}}} ]] }} {}} []]
    True False None TRUE FALSE NULL Null nul tru fals nulll truee undefined void Undefined nil NIL none yes no on off [True] [None] [undefined]
    [nul] [tru] [truefalse] [nullnull] [true1] [1true] [null,] [-] [+] [e] [.] ["a"1] [1"a"] ["a""b"] [{}{}] [[][]] [1null] {"a":1"b":2}
    {"a":truefalse} {"a":1}} {"a":[} {"a":{]} [{"a":]} {"a"true} {"a"[]} {}{} [][] {}[] {},{} [],[] {},1 1,2 1]2 ""{} "a""b" 0{} 0[] truenull
    //a /**/{} {}/**/ {}// {}//a {/**/} [/**/] [1/**/] [1,/**/2] {"a":/**/1} {"a"/**/:1} /*{}*/ {/*"a":1*/} # {}# [#] [1#] <!----> {}<!---->
    {}; ;{} ({}) a=1 return{} ){}  )]}',{} while(1);{} for(;;);[] &{} $ @ ~ ` `a` [`a`] /a/ [/a/] u"a" b"a" r"a" [...] [1...] {...}
    ["\"] ["\\"] ["\\\"] ["a\\"b"] {"\":1} "\ "a\ "\" ["a"] ["a'] ['a"] [\"a\"] {\"a\":1} \u007b\u007d [\u0031] \n{} {}\n \[\] %7B%7D &#123;}
    {"a":1,"b":[2,{"c":3}],"d":{"e":[[],[[]]]}} [[[[[[[[]]]]]]]] {"a":"b","c":"d","e":"f"} [0,-0,0.0,-0.0] {"b":1,"a":2,"10":3,"9":4,"-1":5}
""".split()  # fmt: skip


def texts() -> dict[str, bytes]:
    """All of them by name; the names tell the family and the place in it."""
    families = {
        "number": _numbers(),
        "halfway": _halfway(),
        "string": _strings(),
        "space": _spaces(),
        "keys": _keys(),
        "structure": iter(STRUCTURES),
        "depth": _depths(),
        "size": _sizes(),
        "cut": _cut(),
        "joined": _joined(),
        "encoded": _encoded(),
    }
    return {
        f"{family} {number}": text for family, made in families.items() for number, text in enumerate(made)
    }


def _numbers() -> Iterator[bytes]:
    border = [f"{sign}{one + more}" for one in BORDERS for more in (-1, 0, 1) for sign in ("", "-")]
    spelled = [
        f"{2**53 + more}{end}" for more in range(-2, 4) for end in (".0", "e0", "E+0", ".00e-0", "0e-1")
    ]
    for literal in dict.fromkeys(NUMBERS + border + spelled):
        yield literal.encode()
        yield b'{"a":[%b, %b]}' % (literal.encode(), literal.encode())


def _halfway() -> Iterator[bytes]:
    """The exact middle between two doubles, in all its digits, and one unit of the last digit beside it."""
    dice = random.Random(20261128)
    for _ in range(60):
        exponent = dice.choice([dice.randint(-80, 52), dice.randint(-1074, -980), dice.randint(-300, -200)])
        middle = Fraction(2 * dice.getrandbits(53) + 1) * Fraction(2) ** (exponent - 53)
        digits = -middle.denominator.bit_length() + 1  # a power of two has as many decimals as it has twos
        whole = middle * Fraction(10) ** -digits
        assert whole.denominator == 1
        yield b"[%s]" % b",".join(f"{int(whole) + more}e{digits}".encode() for more in (-1, 0, 1))


def _strings() -> Iterator[bytes]:
    for text in STRINGS:
        raw = text if isinstance(text, bytes) else text.encode()
        yield b'"%b"' % raw
        yield b'{"a%b":["%bz"]}' % (raw, raw)


def _spaces() -> Iterator[bytes]:
    for space in SPACES:
        yield from (space + b"{}", b"{}" + space, b'{%b"a"%b:%b1%b}' % ((space,) * 4), b"[1%b,2]" % space)
        yield from (b"[tr%bue]" % space, b"[1%b2]" % space, space)


def _keys() -> Iterator[bytes]:
    for one, other in KEYS:
        pair = f'"{one}":1,"{other}":2'
        yield from (f"{{{pair}}}".encode(), f'{{"z":[{{"y":{{{pair},"x":[]}}}}]}}'.encode())
        yield f'{{"{one}":{{"{other}":1}},"between":["{one}","{other}"]}}'.encode()


def _depths() -> Iterator[bytes]:
    for depth in (63, 64, 65, 128, 255, 256, 257, 1_000, 1_025, 100_000):
        yield b"[" * depth + b"]" * depth
        yield b'{"a":' * depth + b"1" + b"}" * depth
        yield b'[{"a":' * (depth // 2) + b"0" + b"}]" * (depth // 2)
        yield b"[" * depth
        yield b'["%b"]' % (b"[{" * depth)
        yield b"[%b[]]" % (b"[]," * depth)


def _sizes() -> Iterator[bytes]:
    many = 1 << 16
    for piece in (
        b"a",
        b"\xc3\xa9",
        b"\xf0\x9f\x98\x80",
        b"\\n",
        b"\\u0041",
        b"\\ud83d\\ude00",
        b"\\\\",
        b'\\"',
        b"\xe2\x80\xa8",
    ):
        yield b'"%b"' % (piece * many)
    yield b'"%b"' % (b"x" * (1 << 20))
    yield b'{"%b":1}' % (b"k" * many)
    yield b"[%b0]" % (b"0," * many)
    yield b"{%b}" % b",".join(b'"key %d":%d' % (number, number) for number in range(many // 8))
    yield b"[%b]" % (b" " * many)
    for digits in (15, 16, 17, 100, 308, 309, 310, 400, 4_300, 4_301, many):
        for literal in (b"1" * digits, b"0." + b"3" * digits, b"1" + b"0" * digits + b".5"):
            yield b"[%b]" % literal
        yield b"[0.%b1e%d]" % (b"0" * digits, digits)
        yield b"[1%be-%d]" % (b"0" * digits, digits)


def _cut() -> Iterator[bytes]:
    for message in MESSAGES[5:8]:
        yield from (message[:end] for end in range(len(message)))
    yield from (MESSAGES[0][start:] for start in range(1, 80))


def _joined() -> Iterator[bytes]:
    between = (
        b"",
        b" ",
        b"\n",
        b"\r\n",
        b",",
        b"\0",
        b"\x1e",
        b"\n\n",
        b";",
        b"}",
        b"{",
        b"x",
        b"//",
        b"#",
        b"\xef\xbb\xbf",
    )
    for one, other in itertools.product((b"{}", b"[1]", b"1", b'"a"', b"null", MESSAGES[2]), repeat=2):
        yield from (one + join + other for join in between)


def _encoded() -> Iterator[bytes]:
    for text in ("{}", '{"a":1}', "1", '"a"', '["\xe9\U0001f600"]', MESSAGES[3].decode()):
        for name in (
            "utf-16",
            "utf-16-le",
            "utf-16-be",
            "utf-32",
            "utf-32-le",
            "utf-32-be",
            "utf-7",
            "utf-8-sig",
        ):
            yield text.encode(name)
        yield b"\xef\xbb\xbf\xef\xbb\xbf" + text.encode()
        yield text.encode("utf-8") + b"\xef\xbb\xbf"
        yield text.encode("latin-1", "replace")
        yield b"\xfe\xff" + text.encode()
        yield b"\x1f\x8b\x08\x00" + text.encode()
