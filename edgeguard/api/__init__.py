"""The HTTP interface: a client of the guard's control socket, with no authority of its own."""
