"""What mining costs over multiplying, measured: shapes -> rounds that alternate -> medians and ratios.

`contenders` are the things measured, `measure` the rounds, `report` the table, the JSON and the plot.
"""
