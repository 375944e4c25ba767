"""The wire with sockets and clocks: calls that go out, calls that come in, the DCOM client and the DCOM server."""
