"""The course of conversations as columns: who spoke when, and the last message of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytics_platform.insights.tiers.tier import Ints
from analytics_platform.insights.verdicts.cue_matching import Mask


@dataclass(frozen=True)
class Dialogue:
    """Messages with text of a day's conversations.

    Attributes:
        of_message: Index of each message's conversation; shape (messages,).
        position: Position of each message in its conversation; shape (messages,).
        by_customer: Whether the customer wrote the message; shape (messages,).
        count: Number of conversations.
    """

    of_message: Ints
    position: Ints
    by_customer: Mask
    count: int

    @cached_property
    def turn(self) -> Ints:
        """Place of each message when all are sorted by conversation and position; shape (messages,)."""
        turns = np.empty(len(self.position), np.int64)
        turns[np.lexsort((self.position, self.of_message))] = np.arange(len(self.position))
        return turns

    @cached_property
    def message_at(self) -> Ints:
        """Index of the message at each turn; shape (messages,)."""
        return np.argsort(self.turn)

    @property
    def last_messages(self) -> Ints:
        """Index of each conversation's last message, -1 for none; shape (conversations,)."""
        return self.messages(self.last(np.ones(len(self.position), np.bool_)))

    def last(self, which: Mask) -> Ints:
        """Return the turn of each conversation's last message that is marked, -1 for none; shape (conversations,)."""
        turns = np.full(self.count, -1)
        np.maximum.at(turns, self.of_message[which], self.turn[which])
        return turns

    def first(self, which: Mask) -> Ints:
        """Return the turn of the first marked message, the number of messages for none; shape (conversations,)."""
        turns = np.full(self.count, len(self.position))
        np.minimum.at(turns, self.of_message[which], self.turn[which])
        return turns

    def since(self, turn: Ints) -> Mask:
        """Return which messages are at or after a turn of their conversation; shape (messages,)."""
        return np.asarray(self.turn >= turn[self.of_message])

    def after(self, turn: Ints) -> Mask:
        """Return which messages are after a turn of their conversation; shape (messages,)."""
        return np.asarray(self.turn > turn[self.of_message])

    def messages(self, turn: Ints) -> Ints:
        """Return the index of the message at each turn, -1 for no turn; shape of ``turn``."""
        if not len(self.position):
            return np.full(len(turn), -1)
        real = (turn >= 0) & (turn < len(self.position))
        return np.where(real, self.message_at[np.where(real, turn, 0)], -1)
