# SPDX-License-Identifier: Apache-2.0
# Goal: the help of the commands about a fleet: control plane, nodes, clusters.
. "$HERE/lib.sh"
explain serve node platform organisation apikey cluster region cmek operation audit profile receipt
