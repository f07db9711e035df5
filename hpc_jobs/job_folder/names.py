"""Names in a job folder: one array job's files, which the elements write and others read.

    jobs/<token>/
      intent.json                 whose job this is; written before anything is submitted
      script-0.sh, elements-0.txt, submission-0.json    a submission
      locks/3/owner.json          the one process that works on element 3
      progress/3.json             how far element 3 is; a hint, never the truth
      results/3.json              how element 3 ended, in its own words; written last
      results/3.failed            empty; made before a result that says failed
      results/3.handed-over       empty; made before a result that asks to be continued
      results/3.json.try-1        of an earlier try, set aside; so are its marks and its lock
      spool/, logs/               for MLflow, and the elements' output
      finished.json               nothing more will be done about the job: it is history

Plain strings, which Python 3.6 reads too: the doctor leaves a result with nothing installed.
"""

JOBS = "jobs"
"""Folder of all job folders, in a run's folder."""

LOCKS = "locks"
PROGRESS = "progress"
RESULTS = "results"
SPOOL = "spool"
LOGS = "logs"

DOCUMENT = ".json"
"""Ending of what an element publishes: its result, its progress."""
FAILED = ".failed"
HANDED_OVER = ".handed-over"
OWNER = "owner.json"
LOCK_DRAFT = ".lock-"
"""Beginning of a lock's name while it is being made."""
TRY = ".try-"
"""Stands between a name that was set aside and the number of the try."""

INTENT = "intent.json"
SUBMISSION = "submission-"
"""Beginning of the name of a submission's record."""
FINISHED = "finished.json"
SPOOL_FILE = ".jsonl"
"""Ending of a tracking spool."""

BY_HAND = "by-hand"
"""Job id of an element that no scheduler started."""
