"""Operations under way on an asyncio loop: a call that drives its delivery machine, and the table of all of them.

The embedded service and the client of other machines use the same, so that a sink cannot tell them apart.
"""
