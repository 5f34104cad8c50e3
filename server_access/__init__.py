"""How every client of the product comes to its servers: addresses, TLS and logins, and why one is not let in."""
