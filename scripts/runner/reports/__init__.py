# SPDX-License-Identifier: BSD-2-Clause
"""What a run says to programs and to browsers; each format is a function from a Run to text."""
