"""Recurrent layers over the steps of a sequence. Imports layers and core."""
