"""What one connection may cost: every bound that input from the network meets."""

from __future__ import annotations

from dataclasses import dataclass

from openwmi.wire.rpc.constants import DEFAULT_FRAGMENT


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection, in bytes and in numbers.

    fragment: the largest fragment offered and taken; call: a whole stub, reassembled; calls: requests without an
    answer; presentations: presentation contexts; securities: security contexts (2000 in [MS-RPCE] 3.3.3.4.2).
    """

    fragment: int = DEFAULT_FRAGMENT
    call: int = 16 << 20
    calls: int = 256
    presentations: int = 2000
    securities: int = 2000
