"""The API's own shapes: requests in, objects and events out."""
