"""Comparisons: control and resumed run side by side, without a judgement."""
