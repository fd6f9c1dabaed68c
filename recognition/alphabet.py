"""The characters that the reader can tell apart."""

from typing import Final

DIGITS: Final = "0123456789"
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
# Driving school, police, Hong Kong, Macao, trailer, consulate, embassy.
SUFFIXES: Final = "学警港澳挂领使"

# The order is part of the weights: only ever append.
ALPHABET: Final = DIGITS + LETTERS + PROVINCES + SUFFIXES
# Class 0 of the reader is the blank of its connectionist temporal classification.
BLANK: Final = 0
CLASSES: Final = len(ALPHABET) + 1
INDEX: Final = {character: index + 1 for index, character in enumerate(ALPHABET)}
