"""Exit 0 if a part of Airflow is well, by the API's own document: `healthy.py scheduler`."""

import json
import os
import sys
import urllib.request

part = sys.argv[1]
with urllib.request.urlopen(os.environ["AIRFLOW_HEALTH_URL"], timeout=5) as reply:
    document = json.load(reply)
state = document[part]["status"]
print(part, state)
sys.exit(state != "healthy")
