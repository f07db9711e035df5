"""What was not measured exactly, fitted beside the sheet: how sure an answer really is.

    examined = examine(campaign, measurement, estimate)

`kinds` lists what may be wrong, `response` asks the engine what each would do, `models` weighs
explanations, `examine` puts them together.
"""
