"""The 8 currencies, their 28 pairs in market convention, and how pairs relate."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

from bqx.errors import ParameterError

CURRENCIES = ("EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF", "JPY")
"""Quoting precedence: of two currencies the earlier one is the base."""

_LIQUIDITY = """
eurusd usdjpy gbpusd audusd usdcad usdchf nzdusd eurgbp eurjpy gbpjpy
audjpy eurchf euraud eurcad cadjpy chfjpy gbpaud gbpchf gbpcad eurnzd
nzdjpy audcad audnzd audchf gbpnzd nzdcad cadchf nzdchf
"""

LIQUIDITY = tuple(_LIQUIDITY.split())
"""All 28 pairs, most liquid first."""

PAIRS = tuple(sorted(LIQUIDITY))
"""All 28 pairs in alphabetical order, the column order of every panel."""

_SISTERS = """
audcad: nzdcad audusd eurcad euraud audchf
audchf: nzdchf euraud cadchf audjpy audusd
audjpy: nzdjpy cadjpy eurjpy gbpjpy audchf
audnzd: nzdcad eurnzd gbpnzd nzdusd nzdchf
audusd: nzdusd usdcad audjpy eurusd audchf
cadchf: eurcad audchf cadjpy nzdchf usdchf
cadjpy: audjpy eurjpy nzdjpy usdjpy gbpjpy
chfjpy: eurjpy gbpjpy audjpy cadjpy nzdjpy
euraud: audchf gbpaud eurnzd audusd audjpy
eurcad: cadchf gbpcad euraud cadjpy usdcad
eurchf: gbpchf audchf cadchf nzdchf eurjpy
eurgbp: gbpchf gbpusd gbpaud gbpcad gbpnzd
eurjpy: gbpjpy audjpy chfjpy cadjpy nzdjpy
eurnzd: nzdchf gbpnzd nzdusd euraud nzdcad
eurusd: gbpusd usdchf audusd nzdusd usdcad
gbpaud: gbpnzd gbpcad euraud audchf eurgbp
gbpcad: gbpaud eurcad gbpusd gbpnzd eurgbp
gbpchf: eurgbp gbpjpy eurchf gbpusd audchf
gbpjpy: eurjpy audjpy cadjpy chfjpy nzdjpy
gbpnzd: gbpaud eurnzd nzdchf gbpcad nzdusd
gbpusd: eurusd gbpcad gbpjpy eurgbp gbpchf
nzdcad: nzdusd audcad eurnzd audnzd gbpnzd
nzdchf: eurnzd audchf nzdjpy nzdusd gbpnzd
nzdjpy: audjpy cadjpy eurjpy nzdchf gbpjpy
nzdusd: audusd eurnzd nzdcad nzdchf nzdjpy
usdcad: audusd cadjpy nzdusd eurusd cadchf
usdchf: eurusd cadchf gbpusd usdjpy eurchf
usdjpy: cadjpy eurjpy audjpy gbpjpy chfjpy
"""

SISTERS = {
    pair: tuple(names.split())
    for pair, names in (line.split(":") for line in _SISTERS.strip().splitlines())
}
"""The five most related pairs of each pair, best first: absolute correlation of 5-minute log
returns over the first quarter of 2018, among the 12 pairs that share a currency."""


def base(pair: str) -> str:
    """Base currency of a pair, upper case.

    >>> base("eurusd")
    'EUR'
    """
    return pair[:3].upper()


def quote(pair: str) -> str:
    """Quote currency of a pair, upper case."""
    return pair[3:].upper()


def pip(pair: str) -> float:
    """Size of a pip in quote units: 0.01 for yen pairs, else 0.0001."""
    return 0.01 if quote(pair) == "JPY" else 0.0001


def join(first: str, second: str) -> str:
    """Pair of two currencies in market convention.

    >>> join("USD", "EUR")
    'eurusd'
    """
    return "".join(sorted((first, second), key=CURRENCIES.index)).lower()


def check(pair: str) -> str:
    """Return the pair, or raise ParameterError when it is not one of the 28."""
    if pair not in SISTERS:
        raise ParameterError(
            f"pair: unknown pair, got {pair!r}; expected one of the 28 pairs in lower case, "
            "such as 'eurusd'."
        )
    return pair


@dataclass(frozen=True)
class Triangle:
    """Three pairs of three currencies with ``direct = first * second`` in rates."""

    direct: str
    first: str
    second: str


def _triangle(currencies: tuple[str, str, str]) -> Triangle:
    first, middle, last = sorted(currencies, key=CURRENCIES.index)
    return Triangle(join(first, last), join(first, middle), join(middle, last))


TRIANGLES = tuple(_triangle(names) for names in combinations(CURRENCIES, 3))
"""All 56 triangles."""


def third_currency(pair: str) -> str:
    """Currency through which a pair's triangle runs: the one whose two legs rank best.

    The worse-ranked leg decides: USD for every cross, GBP for eurusd, JPY for audusd, EUR for
    the other dollar pairs.

    >>> third_currency("eurgbp"), third_currency("audusd")
    ('USD', 'JPY')
    """
    sides = base(pair), quote(pair)

    def ranks(name: str) -> list[int]:
        return sorted((LIQUIDITY.index(join(name, side)) for side in sides), reverse=True)

    return min((name for name in CURRENCIES if name not in sides), key=ranks)


@cache
def triangle(pair: str) -> Triangle:
    """The triangle of a pair, through its third currency."""
    return _triangle((base(pair), quote(pair), third_currency(pair)))
