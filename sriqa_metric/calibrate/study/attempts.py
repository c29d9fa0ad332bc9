"""How often somebody may be wrong: guessing a code or the token must not get anywhere."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .store import Refused

PER_ADDRESS, IN_ALL = 10, 100  # wrong attempts at once; as many come back in a minute
MOST_ADDRESSES = 4096
MINUTE = 60.0
WRONG = (401, 404, 409)  # no such token, no such code, a code that somebody has


class Attempts:
    """Wrong attempts of each address and of all together; what was right is given back.

    In memory, and bounded: of too many addresses, those that were longest away are forgotten;
    the limit of all together holds whatever they are.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._all = _Bucket(IN_ALL, clock())
        self._of: OrderedDict[str, _Bucket] = OrderedDict()

    @contextmanager
    def attempt(self, address: str) -> Iterator[None]:
        """Within the block somebody tries; it was wrong if the block is refused as in `WRONG`.

        Until the block ends it counts as wrong, so that many at once get no further.

        Raises
        ------
        Refused
            If there were too many, whether this one is right or not.
        """
        now, buckets = self._clock(), (self._bucket(address), self._all)
        if min(bucket.left(now) for bucket in buckets) < 1:
            raise Refused(429, "Too many wrong attempts. Please wait a minute.")
        for bucket in buckets:
            bucket.add(-1)
        wrong = False
        try:
            yield
        except Refused as error:
            wrong = error.status in WRONG
            raise
        finally:
            for bucket in buckets:
                bucket.add(0 if wrong else 1)

    def _bucket(self, address: str) -> _Bucket:
        name = _network(address)
        if name not in self._of:
            self._of[name] = _Bucket(PER_ADDRESS, self._clock())
        self._of.move_to_end(name)
        if len(self._of) > MOST_ADDRESSES:
            self._of.popitem(last=False)
        return self._of[name]


class _Bucket:
    """Attempts that are left, filled up evenly to `most` within a minute."""

    def __init__(self, most: int, now: float) -> None:
        self.most, self._left, self._at = most, float(most), now

    def left(self, now: float) -> float:
        self._left = min(self.most, self._left + (now - self._at) * self.most / MINUTE)
        self._at = now
        return self._left

    def add(self, attempts: int) -> None:
        self._left += attempts


def _network(address: str) -> str:
    """One key for all addresses that a network of IPv6 hands to one computer."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))
