// A batch's pulls and pushes, as the client wants them.
//
// Ownership: the parts point into the batch.
#pragma once

#include <vector>

#include "worker/client.h"
#include "worker/models/model.h"

namespace rowhouse {

// tables: one for each of the batch's.
std::vector<PullPart> PullPartsOf(const std::vector<Table>& tables, Batch& batch);
std::vector<PushPart> PushPartsOf(const std::vector<Table>& tables, const Batch& batch);

// Rows of all tables.
uint64_t RowCountOf(const Batch& batch);

}  // namespace rowhouse
