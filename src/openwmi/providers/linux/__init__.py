"""Readers of Linux: files under /proc, /sys, /etc and /run, and the calls that act on processes."""
