"""Where things are; run.py fills in what the command line says."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("TIDEGATE_BINARY", ROOT / "build" / "release" / "tidegate"))
TOOLS = ROOT / "build" / "tools"
DEMO_MODEL = ROOT / "examples" / "models" / "demo-llama"
VENV_PYTHON = ROOT / "build" / "venv" / "bin" / "python"
# Beside the checkout, or one above for a work tree.
CONFORMANCE = next((shared for shared in (up / "shared/data/conformance" for up in ROOT.parents[:2]) if shared.exists()),
                   ROOT.parent / "shared/data/conformance")
QUICK = False
MARK = f"TIDEGATE_WIRE_TEST={os.getpid()}"  # in the environment of every child, to find one that was left behind

# A sanitized binary on a busy machine is slow; nothing here waits this long unless it is broken.
PATIENCE_S = 20.0
