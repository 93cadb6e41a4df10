"""What one cell of a table says: a plain number, a number written in another way, a date, nothing, or text."""

import math
import re
import unicodedata

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
NUMBER, AMOUNT, DATE, ABSENT, TEXT = "number", "amount", "date", "absent", "text"

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_CODE = re.compile(r"[+-]?0\d+(?:\.\d*)?", re.ASCII)
"""Digits behind a leading zero: a postal code or the like, of which a number would keep another."""
_MOST_DIGITS = 15
"""Of a whole number: a float holds no more."""
_CURRENCY = r"(?:[$€£¥₹]|usd|eur|gbp|chf)"
_AMOUNT = re.compile(
    rf"\(?[+\-−~]?\s*{_CURRENCY}?\s*[+\-−]?[.,]?\d[\d\s.,'’_]*(?:e[+\-−]?\d+)?"  # ($ 1,420.50
    rf"\s*(?:[%‰°\"'+*]|{_CURRENCY}|[a-zµ°]{{1,6}}[²³23]?(?:/[a-z]{{1,4}})?)?\)?"  # % or kg/m2 )
    r"|[+-]?0x[0-9a-f]+|[+-]?inf(?:inity)?|\d+\s*/\s*\d+"  # 0x10, inf, 120/80
)
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[ap]\.?m\.?)?"
_DATE = re.compile(
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?[\s.,]+)?(?:"
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2})|(?:19|20)\d\d[-/](?:0[1-9]|1[0-2])"
    rf"|\d{{1,2}}[\s.-]*{_MONTH}(?:[\s.,-]*(?:\d{{4}}|\d{{2}}))?|{_MONTH}[\s.-]+\d{{1,4}}(?:[\s,]+\d{{2,4}})?"
    rf")(?:[t\s,]+{_CLOCK}\s*(?:z|utc|gmt|[+-]\d{{2}}:?\d{{2}})?)?|{_CLOCK}"
)


def kind_of(cell: str, decimal: str = ".") -> str:
    """NUMBER, AMOUNT (a number that is not written plainly), DATE, ABSENT or TEXT.

    A plain number is of the digits 0 to 9 with a sign, one decimal mark and an exponent: "1,420", "$5", "12%", "12 kg",
    "0x10", "1_000", "inf", "007" and whole numbers of more than 15 digits are amounts.
    """
    if is_missing(cell):
        return ABSENT
    if number_of(cell, decimal) is not None:
        return NUMBER
    text = unicodedata.normalize("NFKC", cell).casefold().strip()
    if _DATE.fullmatch(text):
        return DATE
    return AMOUNT if _AMOUNT.fullmatch(text) and not _ORDINAL.fullmatch(text) else TEXT


def is_missing(cell: str) -> bool:
    """Whether a cell of numbers says that there is none."""
    return cell.casefold() in MISSING


def number_of(cell: str, decimal: str = ".") -> float | None:
    """The number that a cell holds, if it is plainly written."""
    if decimal != ".":
        cell = cell.replace(".", "?").replace(decimal, ".")
    if not _PLAIN.fullmatch(cell) or _CODE.fullmatch(cell):
        return None
    digits = cell.strip("+-0")
    if digits.isdecimal() and len(digits) > _MOST_DIGITS:
        return None
    value = float(cell)
    return value if math.isfinite(value) else None
