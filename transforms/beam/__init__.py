"""The core on Apache Beam: DoFns and bundles, no flow logic."""
