"""Calls that go out to other machines: associations, resolving of objects, references held there.

The DCOM client and the callbacks of the DCOM server stand on it. It knows objects and interfaces, and nothing of WMI.
"""
