# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests, the demo and the benchmark share: processes, the CLI, memory scans."""
