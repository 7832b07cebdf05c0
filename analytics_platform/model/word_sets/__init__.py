"""Closed sets of words that packages share: languages, outcomes, kinds of personal data, and markers in texts."""
