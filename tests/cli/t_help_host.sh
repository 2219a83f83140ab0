# SPDX-License-Identifier: Apache-2.0
# Goal: the help of the commands about keys and volumes of one host.
. "$HERE/lib.sh"
explain kms key volume
