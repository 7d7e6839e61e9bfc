"""`python -m tests.charts`: the real charts, rendered with the values that the program sets.

The lab's charts take the keys that the program sets because they were written for it; whether the real ones still
know them, only the real ones can tell. So this downloads each pinned chart and fails on a value key that the chart
does not know (Helm itself ignores those) and on a chart that does not render.
"""
