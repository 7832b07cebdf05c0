"""What the columns of a table with a message per row mean, by their names and values."""
