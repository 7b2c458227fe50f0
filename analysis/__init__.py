"""Questions about networks, each answered by a table and a picture.

==================  ===============================================================
gradcheck           EP's gradient against the exact one, by parameter and nudge
demo                one network trained on both engines, side by side
style               the look that all pictures share
==================  ===============================================================

A picture is a function ``plot_x(result, ax=None) -> Axes``: it draws on the axes it is given, or on a figure of its
own, has units on its axes, and never shows itself. Nothing in :mod:`neuroep` but the command line imports this
package.
"""
