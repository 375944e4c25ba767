"""Kerberos from outside: what a service's keytab opens of conversations that were captured (RFC 4120, RFC 4121).

Live handshakes go through a library (`wire.kerberos`), which cannot follow one that is over; so here are the few parts
of the protocol that reading needs, for the AES types of RFC 3962.
"""
