"""Read the records of NocoDB tables as rows of a source: columns, cells, links and guesses of what they mean."""
