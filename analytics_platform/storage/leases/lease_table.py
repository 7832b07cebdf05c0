"""The table of leases: which holder works on which days. The functions are pure; none reads a clock or a store.

All leases of a lake are in one small table, so that two leases on overlapping days can never be granted side by side:
whoever adds a lease replaces the whole table, on condition that nobody has replaced it meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field, replace

import orjson

_VERSION = 1


@dataclass(frozen=True)
class LeaseEntry:
    """One lease on a range of days.

    Attributes:
        identity: Random name of the lease.
        token: Fencing token: a later lease has a higher one.
        first: First day, ``YYYY-MM-DD``.
        last: Last day, inclusive.
        seconds: Others may take the days over when they have seen no renewal for this time.
        host: Name of the holder's machine, for messages.
        process: Process id of the holder, for messages.
        since: Time at which the lease was granted, by the holder's clock, for messages.
        local_lock: Identity of the lock file that the holder also holds, see ``day_locks.lock_identity``.
        beat: Number of renewals.
    """

    identity: str
    token: int
    first: str
    last: str
    seconds: float
    host: str
    process: int
    since: str
    local_lock: str = ""
    beat: int = 0

    def overlaps(self, first: str, last: str) -> bool:
        """Tell whether the lease covers one of the days from ``first`` to ``last``."""
        return self.first <= last and first <= self.last

    def covers(self, day: str) -> bool:
        """Tell whether the lease covers a day."""
        return self.first <= day <= self.last

    @property
    def holder(self) -> str:
        """The holder in words."""
        return f"process {self.process} of {self.host}, since {self.since}"


@dataclass(frozen=True)
class LeaseTable:
    """All leases of a lake.

    Attributes:
        leases: The leases.
        next_token: Fencing token of the next lease.
        is_reliable: Whether the store was found to honour conditional writes; None if nobody has tried yet.
        revision: Random name of this state, so that a writer recognises its own state in the store.
    """

    leases: tuple[LeaseEntry, ...] = ()
    next_token: int = 1
    is_reliable: bool | None = None
    revision: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def parse(cls, content: bytes | None) -> LeaseTable:
        """Return the table of a stored text; an empty table if nothing is stored.

        Raises:
            ValueError: If the text is not a table of this version.
        """
        if content is None:
            return cls()
        try:
            fields = orjson.loads(content)
            version, entries = fields.pop("version"), fields.pop("leases")
            table = cls(leases=tuple(LeaseEntry(**entry) for entry in entries), **fields)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a table of leases ({error})") from error
        if version != _VERSION:
            raise ValueError(f"a table of leases of version {version}, not {_VERSION}")
        return table

    def text(self) -> bytes:
        """Return the table as JSON."""
        fields = asdict(self)
        return orjson.dumps({"version": _VERSION, **fields}, option=orjson.OPT_INDENT_2)

    def find(self, identity: str) -> LeaseEntry | None:
        """Return a lease; None if it is not, or no longer, in the table."""
        return next((lease for lease in self.leases if lease.identity == identity), None)

    def overlapping(self, first: str, last: str) -> list[LeaseEntry]:
        """Return the leases that cover one of the days from ``first`` to ``last``."""
        return [lease for lease in self.leases if lease.overlaps(first, last)]

    def granting(
        self, lease: LeaseEntry, instead_of: Collection[str], *, beside: Collection[str] = (), least_token: int = 0
    ) -> tuple[LeaseTable, LeaseEntry]:
        """Return the table with a further lease, and the lease with its fencing token.

        Args:
            lease: The lease; its token is replaced.
            instead_of: Identities of the leases that it replaces, whose holders no longer work.
            beside: Identities of leases of the same process, which may cover the same days.
            least_token: Lower bound of the token. A time is passed, so that tokens still rise if the table is lost.

        Raises:
            ValueError: If another lease covers one of the days.
        """
        remaining = self.without(instead_of)
        if any(one.identity not in beside for one in remaining.overlapping(lease.first, lease.last)):
            raise ValueError(f"{lease.first} to {lease.last}: another lease covers one of these days")
        granted = replace(lease, token=max(self.next_token, least_token), beat=0)
        return remaining._with((*remaining.leases, granted), next_token=granted.token + 1), granted

    def renewing(self, identity: str) -> LeaseTable:
        """Return the table in which a lease has one more renewal."""
        renewed = (replace(one, beat=one.beat + 1) if one.identity == identity else one for one in self.leases)
        return self._with(tuple(renewed))

    def without(self, identities: Collection[str]) -> LeaseTable:
        """Return the table without some leases."""
        return self._with(tuple(one for one in self.leases if one.identity not in identities))

    def judged(self, *, is_reliable: bool) -> LeaseTable:
        """Return the table with the result of a trial of the store."""
        return replace(self, is_reliable=is_reliable, revision=uuid.uuid4().hex)

    def _with(self, leases: tuple[LeaseEntry, ...], next_token: int | None = None) -> LeaseTable:
        token = self.next_token if next_token is None else next_token
        return replace(self, leases=leases, next_token=token, revision=uuid.uuid4().hex)


@dataclass
class Expiry:
    """Recognises the leases that have expired, by one's own clock alone.

    A lease has expired when its number of renewals has not changed for its whole time. The holder's clock and the
    store's clock do not matter, so no two clocks need agree.
    """

    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def expired_of(self, leases: Iterable[LeaseEntry], asked_at: float, answered_at: float) -> set[str]:
        """Return the identities of the leases that have expired, given one more look at them.

        Args:
            leases: The leases as they were read.
            asked_at: Seconds of a steady clock before the table was requested.
            answered_at: The same clock after the table had arrived.
        """
        expired = set()
        for lease in leases:
            beat, since = self._seen.get(lease.identity, (-1, 0.0))
            if beat != lease.beat:
                self._seen[lease.identity] = lease.beat, answered_at
            elif asked_at - since >= lease.seconds:
                expired.add(lease.identity)
        return expired
