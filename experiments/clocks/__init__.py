"""How many clocks, and where to cut?"""
