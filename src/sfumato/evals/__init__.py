"""Measuring the models that draw: with judges that none of them was trained on.

An evaluation is an entry of the registry ``EVALUATIONS``; ``sfumato eval`` lists and runs them.
"""
