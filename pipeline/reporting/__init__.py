"""What a report says of label rows: functions over polars frames that hold little, however many rows there are.

They know no lake, no store and no model.
"""
