# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
#
# What the script "run" exits with, beside 0, 1 and 2: an emulated CPU stopped.

readonly STOPPED=75
