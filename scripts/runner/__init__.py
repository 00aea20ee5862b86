# SPDX-License-Identifier: BSD-2-Clause
"""The runner of Shadowbox: launches images under hypervisors and judges their reports."""
