"""Scripts behind the claims of README.md, one each: a table, and JSON."""
