"""RPC bytes without input or output, both roles: ndr, rpc, ntlm, spnego, dcom.

Bytes or values in, values or bytes out. Clocks, randomness, names and sockets belong to `openwmi.remote`; what this
room needs of them it takes as arguments.
"""
