"""What file_search knows: text out of files, cut for searching."""
