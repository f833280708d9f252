// Applying a push record to the rows: the one way in which a table changes.
//
// The live path and replay call the same function, and skip what a row already has, so state is a
// function of the log alone.
//
// Threading: one shard, one thread.
#pragma once

#include <cstdint>
#include <span>

#include "common/types.h"
#include "common/wire/data.h"
#include "ps/optimizer/adagrad.h"
#include "ps/table_set.h"

namespace rowhouse {

// Applies one section. Rows whose LSN is at or above `lsn` have it already and are left alone.
// REQUIRES: section checked (push_check.h).
void ApplySection(TableRows& table, const PushSection& section, float effective_learning_rate,
                  Lsn lsn, AdagradKernel kernel);

}  // namespace rowhouse
