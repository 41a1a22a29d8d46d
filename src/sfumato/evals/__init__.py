"""Measuring the models that draw, with judges that none of them was trained on.

One folder an evaluation; ``sfumato eval`` lists and runs them. What they share lies beside them:
shapes as numbers, the colour of a drawing, means with intervals.
"""
