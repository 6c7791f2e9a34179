"""The assessment as people read and sign it: a workbook and a page that prints well.

Belongs here: laying out what is frozen or published. Does not belong here: computing anything that is judged; the one
sum made here is the workbook's own ratio of numerator and denominator, so that a reader can check it.
"""
