"""Numbers: OPA's arithmetic, digit for digit. The wanted results are from `opa eval` 1.22.2."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.engines.ir import numbers
from policies.engines.ir.errors import BudgetExceeded
from policies.engines.ir.numbers import number_text, parse_number


@pytest.mark.parametrize(
    ("a", "operation", "b", "result"),
    [
        ("0.1", "add", "0.2", "0.3"),
        ("1", "divide", "3", "0.33333333333333333334"),
        ("7", "divide", "2", "3.5"),
        ("6", "divide", "3", "2"),
        ("19.99", "multiply", "3", "59.97"),
        ("1.15", "multiply", "100", "115"),
        ("2.675", "multiply", "100", "267.5"),
        ("100000000000000000000", "add", "1", "100000000000000000001"),
        ("123456789012345678901234567890", "multiply", "1.5", "185185183518518518350000000000"),
        ("861577437291982503871", "add", "880.56", "861577437291982504760"),
        ("3e27", "add", "-266172972.50989646", "2999999999999999999800000000"),
        ("27439611926452714", "multiply", "102.80", "2820792106039338999.2"),
        ("-7256817118631631591", "divide", "5", "-1451363423726326318.2"),
        ("1e-4000", "add", "1.5", "1.5"),
        ("0.5", "subtract", "0.5", "0"),
    ],
)
def test_arithmetic_is_opas(a, operation, b, result):
    found = getattr(numbers, operation)(parse_number(a), parse_number(b))
    assert found == Decimal(result)
    assert number_text(found) == result


@pytest.mark.parametrize(
    ("name", "number", "result"),
    [
        ("round_half_away", "2.5", 3), ("round_half_away", "-2.5", -3), ("round_half_away", "2.4", 2),
        ("round_half_away", "-3304779266908309014204834", -3304779266908309014183936),
        ("ceiling", "2.1", 3), ("ceiling", "-2.5", -2), ("ceiling", "2", 2), ("floor", "2.9", 2), ("floor", "-2.5", -3),
        ("ceiling", "-0.5", 1), ("floor", "-0.5", 0),
        ("magnitude", "-1.5", Decimal("1.5")), ("magnitude", "-7", 7),
    ],
)  # fmt: skip
def test_rounding_is_opas(name, number, result):
    assert getattr(numbers, name)(parse_number(number)) == result


def test_sums_of_integers_are_exact_and_others_are_rounded_in_turn():
    assert numbers.total([10**30, 1, -(10**30)]) == 1
    assert number_text(numbers.total([parse_number("0.1")] * 10)) == "1.0000000000000000001"


def test_products_with_fractions_are_rounded_as_opa_rounds_them():
    assert numbers.product([10**20, 10**20]) == 10**40
    assert number_text(numbers.product([parse_number("0.1"), 3])) == "0.30000000000000004"
    assert number_text(numbers.product([parse_number("0.1")] * 3)) == "0.001"


def test_a_remainder_has_the_sign_of_the_dividend():
    assert [numbers.remainder(a, b) for a, b in ((7, 3), (-7, 3), (7, -3), (-7, -3))] == [1, -1, 1, -1]
    with pytest.raises(ZeroDivisionError):
        numbers.remainder(1, 0)


@pytest.mark.parametrize("text", ["1", "1.50", "1e3", "5e-07", "123456789012345678901234567890"])
def test_the_digits_a_number_was_written_with_are_kept(text):
    assert number_text(parse_number(text)) == text


@pytest.mark.parametrize("text", ["1e100000", "1e-100000", "9" * 5000, "0." + "1" * 500])
def test_a_number_too_large_to_compute_with_is_refused(text):
    with pytest.raises(BudgetExceeded):
        parse_number(text)


def test_a_large_number_within_the_limit_is_taken():
    assert parse_number("9" * 4000) == int("9" * 4000)
    assert parse_number("1e4000") == 10**4000


def test_a_product_beyond_the_limit_is_refused_before_it_is_computed():
    with pytest.raises(BudgetExceeded):
        numbers.multiply(1 << 13_000, 1 << 13_000)
    with pytest.raises(BudgetExceeded):
        numbers.multiply(parse_number("1.5e4000"), parse_number("1.5e4000"))
    assert numbers.multiply(1 << 6_000, 1 << 6_000) == 1 << 12_000
