"""What a head that generates is made of: attention, and the recurrent network that asks it.

Imports decoding, layers, core.
"""
