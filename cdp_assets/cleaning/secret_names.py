"""Which attributes are secrets, by the words of their names: passwords, tokens, cards, bank accounts, government ids.

Belongs here: the names, in English and Vietnamese, and how a name is taken apart (snake, kebab, camel, dotted, blanks,
with and without accents). Does not belong here: what becomes of a secret (`secrets`).

A leak is worse than a lost attribute: a bare `pin_code` may be a postal code in India, and goes; `shipping_pin_code`
and `dung_luong_pin` (the size of a battery) stay.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import product

from cdp_assets.cleaning.spelling import bare

_ANYWHERE = (
    "pass word", "pass wd", "pass wort", "pass code", "pass phrase", "pwd", "pswd", "cccd", "cmnd", "cvv", "passport",
    "api key", "private key", "secret key", "access token", "auth token", "refresh token", "credit card", "debit card",
    "social security", "mật khẩu",
)  # fmt: skip
"""Words that make a secret wherever they stand, also within a longer word: `userpassword2`, `socccd`."""

_WORDS = (
    "secret|secrets", "credential|credentials", "token|tokens", "jwt", "otp|totp", "cvc|cvn|ccv", "ssn", "iban|ibans",
    "cookie|cookies", "authorization|bearer", "psw|passw|pw", "phpsessid|jsessionid", "cmtnd", "gplx", "mst", "stk",
    "bhxh|bhyt", "nric|aadhaar|aadhar|curp|cpf|nino|dni|pesel|bsn", "biometric|biometrics", "mnemonic", "bí mật",
    # keys and codes that open something
    "app|access|encryption|encrypt|decryption|signing|master|ssh|license|licence|consumer|client|auth|service|shared|"
    "webhook|stripe|hmac|aes|rsa|pgp|gpg|recovery|activation key|keys",
    "security|verification|verify|recovery|backup|activation|confirm|confirmation|auth|authentication|reset|sms|mfa|"
    "login|access|unlock code|codes",
    "two factor", "2 fa", "one time code|codes", "security|secret|recovery question|questions|answer|answers",
    "seed phrase", "connection string", "dsn",
    # cards and bank accounts
    "card no|number|numbers|num|nr|pan|cvc|code|pin|exp|expiry|expiration|holder|data|track|verification|security",
    "bank|payment|atm|visa card", "cc no|number|num|nr|exp|cvc|pan", "ccno|ccnum|ccnumber", "pan no|number",
    "bank account|accounts|acct", "account|acct no|number|num|nr", "routing no|number", "sort code",
    # government ids
    "national|citizen|government|govt|gov|personal|identity|identification|tax|taxpayer|fiscal|voter|insurance|"
    "resident|passport id|ids|no|number|num|code|card",
    "government issued", "identity document", "id card|no|number|num", "idcard", "social insurance",
    "driver|drivers|driving license|licence", "dl no|number", "tin no|number", "vat id",
    # Vietnamese
    "căn cước", "chứng minh nhân|thư", "số chứng minh", "hộ chiếu", "số|mã định danh", "mã số thuế", "bằng lái",
    "giấy phép lái", "bảo hiểm xã|y", "số thẻ", "thẻ tín|ghi|ngân", "số tài khoản", "tài khoản ngân", "mã bảo mật",
    "mã xác thực|nhận|minh", "mã kích hoạt", "mã khôi phục", "mã pin",
)  # fmt: skip
"""Words that make a secret where they stand as words, one after the other; `a|b` is either."""

_WHOLE = (
    r"(?:(?:user|card|atm|login|customer|client|account|new|old|security|sms|reset|bank|web|hashed|encrypted|transaction|"
    r"payment|wallet|access|mobile|app|my)_)?pin_?(?:codes?|number|no|hash|hashed|encrypted|digest|value|salt)?"
    r"|(?:(?:user|usr|db|login|wp|my|admin|old|new|confirm|repeat|hashed|encrypted|smtp|ftp|account|email|mail)_)?"
    r"pass_?(?:hash|salt|key|md_5|\d+)?"
    r"|mk(?:_cu|_moi)?|pan|tin|(?:set_)?cookies?|creds?|(?:csrf|xsrf)"
)
"""Names that are secrets as a whole; their words mean something else in other company."""

_HARMLESS = (
    r"^_(?:is|has|had|needs?|must|should|allows?|accepts?|requires?|max|min|num|number_of|count|total|prompt|"
    r"completion|input|output)_"
    r"|_(?:at|on|date|time|counts?|length|type|brand|network|scheme|issuer|last_?4|last_four|policy|strength|required|"
    r"enabled|disabled|changed?|created|issued|updated|verified|expires|expired|expires_in|ttl|attempts|failures|"
    r"retries|consent|accepted|banner|preferences|used|status|country|version)_$"
    r"|_pass_?word_?less_|_secret_santa_|_(?:loyalty|member|membership|club)_card_|_so_the_(?:thanh_vien|hoi_vien)_"
)
"""Names that only speak of a secret: whether there is one, of which kind, since when."""

_CAMEL = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])"
)
_OTHER = re.compile(r"[^a-z0-9]+")
_MARKS = re.compile(r"[\u0300-\u036f]")


def _phrases(lines: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [words for line in lines for words in product(*(word.split("|") for word in line.split()))]


def _plain(text: str) -> str:
    """Without accents; capitals stay, since they part words."""
    if text.isascii():
        return text
    return _MARKS.sub("", unicodedata.normalize("NFD", bare(text))).replace("đ", "d").replace("Đ", "D")


def _either(phrases: list[tuple[str, ...]]) -> str:
    return "|".join(sorted({"_?".join(map(_plain, words)) for words in phrases}))


_SECRET = re.compile(
    f"(?:{_either(_phrases(_ANYWHERE))})|_(?:{_either(_phrases(_WORDS))})_|^_(?:{_WHOLE})_$".replace(
        "2_?fa", "2_fa"
    )
)
_NO_SECRET = re.compile(_HARMLESS)


@lru_cache(maxsize=65_536)
def is_secret_name(name: str) -> bool:
    """Whether the value of an attribute with this name is a secret."""
    words = _OTHER.sub("_", _CAMEL.sub("_", _plain(name).replace("IDs", "Ids")).lower()).strip("_")
    words = f"_{words}_"
    return _SECRET.search(words) is not None and _NO_SECRET.search(words) is None


def _signs() -> str:
    """The pattern that finds what might be a secret name in JSON text; for polars, where it takes one pass."""
    sep, edge = r"[_\-. ]", r"""["'_\-. =\\\[\]?&;]"""
    long: set[str] = set()
    short = {"pin", "pass"}
    accented: set[str] = set()
    for line in _ANYWHERE + _WORDS:
        pattern = f"{sep}?".join(f"(?:{word})" if "|" in word else word for word in line.split())
        shortest = min(len("".join(words)) for words in _phrases((_plain(line),)))
        if shortest > 4:
            long.add(_plain(pattern))
        else:
            short |= {f"{sep}?".join(words) for words in _phrases((_plain(line),))}
        if not line.isascii():
            accented |= {unicodedata.normalize("NFC", pattern), unicodedata.normalize("NFD", pattern)}
    heads = "|".join(
        sorted({cased for word in short if word.isalpha() for cased in (word.title(), word.upper())})
    )
    few = "|".join(sorted(short))
    return (
        f"(?i-u:{'|'.join(sorted(long))}|{edge}(?:{few})(?:{edge}|[0-9])|pass(?:hash|salt|key)|pin(?:code|n|h)"
        f"|{edge}(?:mk|pan|tin){edge})"
        f"|(?-u:{edge})(?i-u:{few})(?-u:[A-Z][a-z])|(?-u:[A-Za-z0-9])(?:{heads})(?-u:[A-Z][a-z]|[0-9]?{edge})"
        f"|(?i:{'|'.join(sorted(accented))})"
    )


SIGNS = _signs()
"""Occurs in every JSON text that holds a secret name, whatever the style in which the name is written."""
