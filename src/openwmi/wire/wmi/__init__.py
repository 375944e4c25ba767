"""The stubs of WMI's interfaces ([MS-WMI] 3.1.4): what their calls and answers look like as bytes.

`services` is derived from the one table of `contract.operations`; the others are declared here, one file per interface
or pair of interfaces.
"""
