"""DCOM on top of RPC ([MS-DCOM]): object references, activation, OXID resolution, remote reference counts.

One file per structure or interface, each with its clause, its fields, reading and writing. Everything here is values
and bytes; which objects exist and who may call them is the business of `openwmi.remote`.
"""
