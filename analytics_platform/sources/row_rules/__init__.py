"""The rules for rows of every source, from single values to what repeats within the whole source."""
