"""What the benchmarks share: the stage they run on, and the page their figures go to.

The programs beside this package are run as files (`make bench`); so the repository's root must be made known first.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
