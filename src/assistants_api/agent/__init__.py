"""Context and the one tool loop; knows no thread, row, route or stream."""
