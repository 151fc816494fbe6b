"""Our own tools, as the loop calls them."""
