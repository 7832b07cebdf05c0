"""Ratings that a help desk states in words or smileys, on a scale from 1 to 5."""

from __future__ import annotations

_WORDS = {
    1: "bad terrible awful negative dissatisfied unsatisfied unhappy poor down dislike schlecht \N{THUMBS DOWN SIGN}"
    " \N{ANGRY FACE} \N{POUTING FACE}",
    2: "\N{SLIGHTLY FROWNING FACE} \N{WHITE FROWNING FACE} \N{DISAPPOINTED FACE} \N{WORRIED FACE}",
    3: "neutral ok okay average mixed \N{NEUTRAL FACE} \N{EXPRESSIONLESS FACE}",
    4: "\N{SLIGHTLY SMILING FACE} \N{SMILING FACE WITH OPEN MOUTH} \N{SMILING FACE WITH SMILING EYES}",
    5: "good great excellent amazing positive satisfied happy up like gut \N{THUMBS UP SIGN} \N{GRINNING FACE}"
    " \N{SMILING FACE WITH OPEN MOUTH AND SMILING EYES} \N{SMILING FACE WITH HEART-SHAPED EYES}"
    " \N{GRINNING FACE WITH STAR EYES}",
}
"""Where a help desk offers two words, they mean the ends; five smileys are those of Intercom and their kin."""

NO_RATING = ("offered", "unoffered", "not offered", "not rated", "unrated", "no rating")
"""Words that mean that the customer did not rate; Zendesk's ``offered`` is a question without an answer."""


def rating_words_sql() -> str:
    """Return each word and its rating, as the members of a map in SQL."""
    return ", ".join(f"'{word}': {rating}" for rating, words in _WORDS.items() for word in words.split())
