"""Sizes that are as good as nothing: what lies below them is rounding and decides nothing.

A double holds sixteen digits; sums over 1,440 rows of rates leave at least nine of them.
"""

ROUNDING = 1e-9
"""Share of its size, deviations or percent points by which rounding may move a reading: what is
nearer to zero, to a threshold or to another value has no sign, is not beyond, and ties."""

AT_REST = 1e-12
"""Log return, BQX or share of a price below which nothing moved: the smallest tick makes 1e-6."""

CANCELLED = 1e-10
"""BQX that ticks leave which cancel, over up to 75 rows."""

COLLINEAR = 1e-10
"""Share of its largest possible value below which a determinant, or what a regression leaves, is
the rounding of its sums."""

LOST = 1e-6
"""Share of its parts below which a difference of sums has lost its digits: it is summed anew."""

LOST_SHAPE = 1e-3
"""The same for wavelet coefficients, whose angles and spreads are asked for to more digits."""

OFF_DIAGONAL = 1e-30
"""Share of its squared trace below which a matrix is diagonal to the last digit of its roots."""

UNDECIDED = 1e-6
"""Share of a matrix's trace between two eigenvalues below which rounding decides which vector
belongs to which; and share of its length along a direction below which a vector has no sign."""

NO_PIVOT = 1e-60
"""Pivot of a matrix of trace 1 that stands for one of 0."""

SILENT = 1e-12
"""Share of a spectrum's power that stands for none where a logarithm is taken."""
