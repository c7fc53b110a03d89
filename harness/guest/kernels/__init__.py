"""Kernel modules of our own for the guest's kernel, and what is measured with them."""
