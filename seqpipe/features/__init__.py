"""Inputs to steps of numbers, a folder a kind of input. Imports data, encoders, layers, text and core."""
