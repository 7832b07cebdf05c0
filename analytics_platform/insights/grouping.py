"""Messages as conversations: how much each message counts for what a conversation was about, wanted and felt like.

Belongs here: which message is whose, and weights by role and place. Does not belong here: evidence in the texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from analytics_platform.insights.tiers.tier import Floats, Ints

_ANSWER_WEIGHT = 0.4
"""How much an answer counts for the topic, against 1 for what the customer says."""
_OPENING_BONUS, _OPENING_DECAY = 1.0, 0.6
"""What the customer's first message counts more for the topic, and how fast that fades."""
_INTENT_DECAY = 0.5
"""How much less each further message counts for what the customer wanted."""
_SOCIAL_WEIGHT = 0.05
"""How much greetings, thanks and small talk count for what the customer wanted."""
_ENDING_BONUS = 1.5
"""What the customer's last message counts more for the sentiment than the first."""
_RESOLUTION_DECAY = 0.4
"""How much less each message before the customer's last counts for whether things were settled."""
_MOST_EVIDENCE = 2.5
"""Messages' worth of evidence that a conversation counts for at most, or long ones would be certain of everything."""


def join_messages(rows: pa.Table, others: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Append columns of ``others`` to ``rows`` by message_id, keeping the order of ``rows``.

    Raises:
        ValueError: If ``others`` lacks a message of ``rows``; names the first.
    """
    found = pc.index_in(rows["message_id"], value_set=others["message_id"].combine_chunks())
    if found.null_count:
        absent = rows["message_id"].filter(pc.is_null(found))[0].as_py()
        raise ValueError(f"insights: {found.null_count} messages are not among those given, e.g. {absent!r}")
    for name in columns:
        rows = rows.append_column(name, others[name].take(found))
    return rows


@dataclass(frozen=True)
class Conversations:
    """The conversations of a day, and who said what in which order.

    Attributes:
        dates: Day of each conversation.
        ids: Identifier of each conversation, distinct.
        of_message: Conversation of each message; shape (messages,).
        position: Place of each message within its conversation; shape (messages,).
        by_customer: Whether the customer says it; shape (messages,).
    """

    dates: pa.Array
    ids: pa.Array
    of_message: Ints
    position: Ints
    by_customer: np.ndarray

    @classmethod
    def of(cls, messages: pa.Table, said: pa.Table) -> Conversations:
        """Group messages.

        Args:
            messages: All messages; decide which conversations there are.
            said: Those with text: columns conversation_id, position, role.
        """
        first = messages.group_by("conversation_id").aggregate([("date", "min")]).combine_chunks()
        ids = first["conversation_id"].combine_chunks()
        return cls(
            dates=first["date_min"].combine_chunks(),
            ids=ids,
            of_message=pc.index_in(said["conversation_id"], value_set=ids).to_numpy().astype(np.int64),
            position=said["position"].to_numpy(),
            by_customer=pc.equal(said["role"], "user").to_numpy(),
        )

    def topic_weights(self) -> sp.csr_matrix:
        """Return weights (conversations by messages): everybody's words, the customer's opening most."""
        opening = _OPENING_BONUS * _OPENING_DECAY ** self._rank(self.by_customer)
        return self._weights(np.where(self.by_customer, 1 + opening, _ANSWER_WEIGHT))

    def intent_weights(self, intents: pa.ChunkedArray, social: Sequence[str]) -> sp.csr_matrix:
        """Return weights (conversations by messages): the customer's words, those that first ask for something most.

        Args:
            intents: Intent of each message.
            social: Intents that say nothing of what the customer came for.
        """
        is_social = pc.is_in(intents, value_set=pa.array(social, pa.string())).to_numpy(zero_copy_only=False)
        asking = self.by_customer & ~is_social
        passing = _SOCIAL_WEIGHT * _INTENT_DECAY ** self._rank(self.by_customer)
        weights = np.where(asking, _INTENT_DECAY ** self._rank(asking), passing)
        return self._weights(np.where(self.by_customer, weights, 0))

    def sentiment_weights(self) -> sp.csr_matrix:
        """Return weights (conversations by messages): the customer's words, the ending most."""
        rank = self._rank(self.by_customer)
        progress = rank / np.maximum(self._most(rank)[self.of_message], 1)
        return self._weights(np.where(self.by_customer, 1 + _ENDING_BONUS * progress**2, 0))

    def urgency_weights(self, telling: Floats) -> sp.csr_matrix:
        """Return weights (conversations by messages): a conversation is as urgent as its most telling message.

        Args:
            telling: How much each message says about urgency; shape (messages,).
        """
        order = np.lexsort((self.position, -np.round(telling, 9), self.of_message))
        order = order[self.by_customer[order]]
        _, first = np.unique(self.of_message[order], return_index=True)
        weights = np.zeros(len(telling))
        weights[order[first]] = 1
        return self._weights(weights)

    def resolution_weights(self) -> sp.csr_matrix:
        """Return weights (conversations by messages): the customer's last words, those before fading quickly."""
        rank = self._rank(self.by_customer)
        last = self._most(rank)
        return self._weights(np.where(self.by_customer, _RESOLUTION_DECAY ** (last[self.of_message] - rank), 0))

    def endings(self, intents: pa.ChunkedArray, social: Sequence[str]) -> dict[str, np.ndarray]:
        """Tell at which messages, always a customer's last, conversations end in a way that rules name.

        Args:
            intents: Intent of each message.
            social: Intents that ask and report nothing.
        """
        rank, places = self._rank(self.by_customer), self._rank(np.ones(len(self.position), np.bool_))
        closing = self.by_customer & (rank == self._most(rank)[self.of_message])
        is_social = pc.is_in(intents, value_set=pa.array(social, pa.string())).to_numpy()
        spoken = np.bincount(self.of_message, minlength=len(self.ids))
        customers = np.bincount(self.of_message[self.by_customer], minlength=len(self.ids))
        final = places == spoken[self.of_message] - 1
        return {
            "unanswered": closing & final & ~is_social,
            "no_answer": closing & (customers == spoken)[self.of_message],
        }

    def gather(self, of_message: np.ndarray) -> np.ndarray:
        """Tell what holds for any message of each conversation; from (messages, facts) to (conversations, facts)."""
        gathered = np.zeros((len(self.ids), of_message.shape[1]), np.bool_)
        rows, columns = np.nonzero(of_message)
        gathered[self.of_message[rows], columns] = True
        return gathered

    def _most(self, rank: Floats) -> Ints:
        """Return the rank of the customer's last message of each conversation."""
        last = np.zeros(len(self.ids), np.int64)
        np.maximum.at(last, self.of_message[self.by_customer], rank[self.by_customer].astype(np.int64))
        return last

    def _rank(self, counted: np.ndarray) -> Floats:
        """Return how many counted messages of its conversation stand before each message."""
        order = np.lexsort((self.position, self.of_message))
        before = np.cumsum(counted[order]) - counted[order]
        starts = np.searchsorted(self.of_message[order], self.of_message[order])
        ranks = np.empty(len(order), np.float64)
        ranks[order] = before - before[starts] if len(order) else 0
        return ranks

    def _weights(self, of_message: Floats) -> sp.csr_matrix:
        entries = np.lexsort((self.position, self.of_message))  # one fixed order of summation
        entries = entries[of_message[entries] > 0]
        groups, weights = self.of_message[entries], of_message[entries]
        totals = np.bincount(groups, weights, minlength=len(self.ids))
        messages = np.bincount(groups, minlength=len(self.ids))
        scale = np.minimum(messages, _MOST_EVIDENCE) / np.where(totals > 0, totals, 1)
        shape = (len(self.ids), len(of_message))
        return sp.csr_matrix((weights * scale[groups], (groups, entries)), shape=shape)
