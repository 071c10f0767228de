"""How a notice leaves this server: over HTTP to an address that was looked at, or through the operator's mail server."""
