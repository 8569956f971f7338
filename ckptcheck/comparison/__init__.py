"""Comparisons: control and resumed side by side, without an opinion."""
