"""Export files as measuring tools write them: a file a tool, one reader of text."""
