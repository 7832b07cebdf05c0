"""Group messages into conversations, and weigh each message for topic, intent, sentiment, urgency and resolution.

Weights depend on role and position, not on the evidence in the texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from analytics_platform.insights.tiers.tier import Floats, Ints
from analytics_platform.model.message_keys import message_keys

_ANSWER_WEIGHT = 0.4
"""Weight of an answer for the topic; a customer's message weighs at least 1."""
_OPENING_BONUS, _OPENING_DECAY = 1.0, 0.6
"""Additional topic weight of the customer's first message, and its decay with each further customer message."""
_INTENT_DECAY = 0.5
"""Decay of the intent weight with each further customer message."""
_SOCIAL_WEIGHT = 0.05
"""Weight of greetings, thanks and small talk for the intent, and of greetings and thanks for the topic, against 1 for
the first message with another intent."""
_ENDING_BONUS = 1.5
"""Additional sentiment weight of the customer's last message, against 1 for the first."""
_RESOLUTION_DECAY = 0.4
"""Decay of the resolution weight with each customer message before the last."""
_MOST_EVIDENCE = 2.5
"""Largest sum of a conversation's weights; without the limit, long conversations would always be certain."""


def join_messages(rows: pa.Table, others: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Append columns of ``others`` to ``rows`` by the message's key, keeping the order of ``rows``.

    Raises:
        ValueError: If ``others`` lacks a message of ``rows``; names the first missing message.
    """
    found = pc.index_in(message_keys(rows), value_set=message_keys(others))
    if found.null_count:
        absent = rows["message_id"].filter(pc.is_null(found))[0].as_py()
        raise ValueError(f"insights: {found.null_count} messages are not among those given, e.g. {absent!r}")
    for name in columns:
        rows = rows.append_column(name, others[name].take(found))
    return rows


@dataclass(frozen=True)
class Conversations:
    """The conversations of a day, with speaker and position of each message.

    Attributes:
        dates: Day of each conversation.
        ids: Identifier of each conversation, distinct.
        of_message: Index of each message's conversation; shape (messages,).
        position: Position of each message within its conversation; shape (messages,).
        by_customer: Whether the customer wrote the message; shape (messages,).
    """

    dates: pa.Array
    ids: pa.Array
    of_message: Ints
    position: Ints
    by_customer: np.ndarray

    @classmethod
    def of(cls, messages: pa.Table, said: pa.Table) -> Conversations:
        """Group messages by conversation.

        Args:
            messages: All messages, which determine the conversations.
            said: The messages with text: columns conversation_id, position, role.
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

    def topic_weights(self, silent: np.ndarray | None = None) -> sp.csr_matrix:
        """Return weights of shape (conversations, messages): all speakers count, the customer's first messages most.

        Args:
            silent: Whether each message has no subject, as greetings; None if it is not known. Shape (messages,).
        """
        telling = self.by_customer if silent is None else self.by_customer & ~silent
        opening = _OPENING_BONUS * _OPENING_DECAY ** self._rank(telling)
        weights = np.where(telling, 1 + opening, _SOCIAL_WEIGHT)
        return self._weights(np.where(self.by_customer, weights, _ANSWER_WEIGHT))

    def intent_weights(self, intents: pa.ChunkedArray, social: Sequence[str]) -> sp.csr_matrix:
        """Return weights of shape (conversations, messages): only the customer counts, first non-social messages most.

        Args:
            intents: Intent of each message.
            social: Intents that do not state what the customer came for.
        """
        is_social = pc.is_in(intents, value_set=pa.array(social, pa.string())).to_numpy(zero_copy_only=False)
        asking = self.by_customer & ~is_social
        passing = _SOCIAL_WEIGHT * _INTENT_DECAY ** self._rank(self.by_customer)
        weights = np.where(asking, _INTENT_DECAY ** self._rank(asking), passing)
        return self._weights(np.where(self.by_customer, weights, 0))

    def sentiment_weights(self) -> sp.csr_matrix:
        """Return weights of shape (conversations, messages): only the customer counts, last messages most."""
        rank = self._rank(self.by_customer)
        progress = rank / np.maximum(self._most(rank)[self.of_message], 1)
        return self._weights(np.where(self.by_customer, 1 + _ENDING_BONUS * progress**2, 0))

    def urgency_weights(self, telling: Floats) -> sp.csr_matrix:
        """Return weights of shape (conversations, messages): only the customer's most telling message counts.

        Args:
            telling: Evidence of each message about urgency; shape (messages,).
        """
        order = np.lexsort((self.position, -np.round(telling, 9), self.of_message))
        order = order[self.by_customer[order]]
        _, first = np.unique(self.of_message[order], return_index=True)
        weights = np.zeros(len(telling))
        weights[order[first]] = 1
        return self._weights(weights)

    def resolution_weights(self) -> sp.csr_matrix:
        """Return weights of shape (conversations, messages): only the customer counts, the last message most."""
        rank = self._rank(self.by_customer)
        last = self._most(rank)
        return self._weights(np.where(self.by_customer, _RESOLUTION_DECAY ** (last[self.of_message] - rank), 0))

    def customer_ends(self, most: int) -> Ints:
        """Return the customer's first and last messages of each conversation, by conversation and position.

        Args:
            most: Most messages at each end.

        Returns:
            Indices of messages, each once.
        """
        rank = self._rank(self.by_customer)
        last = self._most(rank)[self.of_message]
        ends = np.flatnonzero(self.by_customer & ((rank < most) | (rank > last - most)))
        return ends[np.lexsort((self.position[ends], self.of_message[ends]))]

    def change(self, of_message: Floats) -> pa.Array:
        """Return the customer's last value minus the first one; null with fewer than two messages of the customer.

        Args:
            of_message: A value of each message; shape (messages,).

        Returns:
            One value per conversation.
        """
        order = np.lexsort((self.position, self.of_message))
        order = order[self.by_customer[order]]
        group = self.of_message[order]
        rows, first, count = np.unique(group, return_index=True, return_counts=True)
        values = np.full(len(self.ids), np.nan)
        values[rows] = of_message[order[first + count - 1]] - of_message[order[first]]
        values[rows[count < 2]] = np.nan
        return pa.array(values, from_pandas=True)

    def endings(self, intents: pa.ChunkedArray, social: Sequence[str]) -> dict[str, np.ndarray]:
        """Return for each ending that rules may name the messages at which it occurs, always a customer's last message.

        Args:
            intents: Intent of each message.
            social: Intents that neither ask nor report anything.

        Returns:
            A mask of shape (messages,) by ending, ``unanswered`` or ``no_answer``.
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
        """Return the facts that hold for any message of a conversation: (messages, facts) to (conversations, facts)."""
        gathered = np.zeros((len(self.ids), of_message.shape[1]), np.bool_)
        rows, columns = np.nonzero(of_message)
        gathered[self.of_message[rows], columns] = True
        return gathered

    def _most(self, rank: Floats) -> Ints:
        """Return the rank of the customer's last message of each conversation; shape (conversations,)."""
        last = np.zeros(len(self.ids), np.int64)
        np.maximum.at(last, self.of_message[self.by_customer], rank[self.by_customer].astype(np.int64))
        return last

    def _rank(self, counted: np.ndarray) -> Floats:
        """Return the number of counted messages before each message in its conversation; shape (messages,)."""
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
