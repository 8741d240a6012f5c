"""A newsletter with one-click unsubscribe (RFC 8058), and the two requests that a web server has to answer for it."""
