#!/usr/bin/env bash
# Opening a data set with mirdata configures the program's log: what the program sets afterwards has no effect.
#
# Meets:     mirdata, whose loaders are imported by mirdata.initialize, and logging.basicConfig in the program that uses
#            it
# Expected:  A library logs to a logger of its own and leaves the root logger to the program.
# Happens:   mirdata's module for downloads calls logging.basicConfig when it is imported, which is not with `import
#            mirdata` but with the first initialize, whatever data set it is and whether or not anything is downloaded:
#            the root logger gets a handler to standard error and the level INFO, so that other libraries' messages
#            appear, and a later basicConfig of the program, with its file and its level, is passed over without an
#            error. One before the first initialize holds.
# Seen with: mirdata 1.0.0, Python 3.11.7
# Known:     no report of it was found
# Output:    import mirdata: WARNING, 0 handlers
#            initialize("medley_solos_db"): INFO, 1 handler
#            basicConfig(filename="show.log", level="ERROR"): INFO, 1 handler, no show.log
#            as seen: the first data set configures the root logger
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check mirdata==1.0.0

cat > "$folder/log.py" <<'PYTHON'
import logging
import os

import mirdata

seen = []


def tell(what: str, more: str = "") -> None:
    root = logging.getLogger()
    handlers = f"{len(root.handlers)} handler{'' if len(root.handlers) == 1 else 's'}"
    seen.append(f"{logging.getLevelName(root.level)}, {handlers}{more}")
    print(f"{what}: {seen[-1]}")


tell("import mirdata")
mirdata.initialize("medley_solos_db", data_home=os.path.join(os.getcwd(), "medley"))
tell('initialize("medley_solos_db")')
logging.basicConfig(filename="show.log", level="ERROR")
logging.error("the microphone is gone")
tell('basicConfig(filename="show.log", level="ERROR")', "" if os.path.exists("show.log") else ", no show.log")
expected = ["WARNING, 0 handlers", "INFO, 1 handler", "INFO, 1 handler, no show.log"]
if seen == expected:
    print("as seen: the first data set configures the root logger")
else:
    raise SystemExit(f"changed: expected {expected}, saw {seen}")
PYTHON
cd "$folder"
HOME=$folder venv/bin/python log.py 2> errors || { tail -n 3 errors; exit 1; }
