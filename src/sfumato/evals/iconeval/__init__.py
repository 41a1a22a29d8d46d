"""IconEval: does a model draw what was asked, for flat art.

GenEval's six tasks and its rules (Ghosh et al. 2023, arXiv:2310.11513), with everything that
recognises things replaced by what suits icons. What is shared and what is changed:

- *tasks and proportions*: shared. One subject (80 prompts), two (99), counting 2 to 4 (80),
  colours (94), position (100), colours of two (100); 553 prompts, four pictures of each.
- *a subject counts* from a confidence: shared (there 0.3 of a detector; here the judge's own
  calibrated threshold). Changed: a detector may see one thing as several classes, here each piece
  of the picture has one name; GenEval raises the confidence to 0.9 to count, since its boxes
  overlap, and ours do not.
- *extra subjects* do no harm except in counting, which is exact: shared.
- *colour* is asked of the surest subject of the name: shared. Changed: CLIP chooses there among ten
  colours; here the subject's own pixels are named. Black and white are left out, since every
  drawing has black outlines and white highlights.
- *position*: shared. The centres' offset is cut by 0.1 of both subjects' sizes, and must point
  within 60 degrees of the asked direction.
- *score*: shared. The mean over the tasks of the share of pictures that are right.
- *words*: changed, "a flat icon of" for "a photo of".

The concepts, the pictures and the judge are others, so **a score here and a published GenEval
score are not on one scale**.
"""
