"""Rules that tell a card, an account, an address or a telephone number from any other row of digits. Pure."""

import re
from ipaddress import IPv4Address, IPv4Network

# Characters of an IBAN by country: the registry of SWIFT, release 99.
IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
# What issuers of cards have been given, ISO/IEC 7812: first digits and length.
_CARDS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}",
    re.ASCII,
)
# Nobody's: this host, examples in documents (RFC 5737), multicast and broadcast.
_NOBODYS = tuple(
    IPv4Network(net)
    for net in ("0.0.0.0/8", "127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3")
)
_DATE = re.compile(r"\+\d{4}-\d\d-\d\d", re.ASCII)


def is_card(digits: str) -> bool:
    """Return whether digits are the number of a payment card: an issuer's prefix and length, and Luhn's check digit."""
    # Six zeros at the end are a round number.
    return _CARDS.fullmatch(digits) is not None and not digits.endswith("000000") and luhn(digits)


def luhn(digits: str) -> bool:
    """Return whether the last digit is Luhn's check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def iban_at(text: str) -> int:
    """Return how many characters of `text`, spaces included, are an IBAN at its start; 0 for none (ISO 13616)."""
    length = IBAN_LENGTHS.get(text[:2].upper(), 0)
    compact = ""
    for place, character in enumerate(text):
        if character.isascii() and character.isalnum():
            compact += character.upper()
        elif character != " " or text[place - 1] == " ":
            break
        if len(compact) == length:
            following = text[place + 1 : place + 2]
            whole = not (following.isascii() and following.isalnum())
            return place + 1 if whole and _mod_97(compact) else 0
    return 0


def _mod_97(compact: str) -> bool:
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def is_address(text: str, before: str) -> bool:
    """Return whether `text` is the IPv4 address of a host.

    Args:
        before: what stands before it; a version has four numbers too, and mostly says so.
    """
    if any((len(part) > 1 and part[0] == "0") or int(part) > 255 for part in text.split(".")):
        return False
    if re.search(r"(?:version|release|build|==|>=|<=|~=|\bv|(?<!/)/)[\s:=]*\Z", before[-16:]):
        return False
    address = IPv4Address(text)
    # Four small numbers are a version.
    small = address.packed[0] < 10 and max(address.packed) < 32
    return not small and not any(address in net for net in _NOBODYS)


def is_phone(text: str) -> bool:
    """Return whether `text`, with its plus sign, is grouped like an international telephone number (E.164)."""
    if _DATE.match(text) or text.count("(") != text.count(")"):
        return False
    groups = re.findall(r"\d+", text, re.ASCII)
    total = sum(map(len, groups))
    if not 8 <= total <= 15 or groups[0][0] == "0":
        return False
    if len(groups) == 1:
        return True
    # A country's code stands alone, or with one area code.
    if len(groups[0]) > 3 and not (len(groups) == 2 and len(groups[1]) >= 5):
        return False
    return all(len(group) >= 2 or group == "0" for group in groups[1:]) and len(groups) <= 6


def is_national_phone(text: str) -> bool:
    """Return whether `text` has the form (NPA) NXX-XXXX of North America, whose groups start with 2 to 9."""
    groups = re.findall(r"\d+", text, re.ASCII)
    return all(group[0] > "1" for group in groups[:2])
