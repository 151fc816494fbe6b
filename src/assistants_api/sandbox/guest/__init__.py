"""Programs that run inside the jail; nothing on the host imports them."""
