// How many bytes the requests and answers of a batch take on the wire.
#pragma once

#include "tests/bench/plain_peer.h"
#include "tests/bench/row_model.h"

namespace rowhouse {

PlainSizes PullSizes(const BatchPlan& plan);
PlainSizes PushSizes(const BatchPlan& plan);

}  // namespace rowhouse
